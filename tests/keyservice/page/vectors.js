// Runs the page's modules over the vectors; see vectors.rs.
async (vectors) => {
  const load = (name) => import(new URL(`keyservice/${name}.js`, document.baseURI));
  const names = ["aead", "bytes", "kdf", "x25519", "box", "message", "file", "letter", "link"];
  const [aead, bytes, kdf, x25519, box, message, file, letter, link] = await Promise.all(
    names.map(load),
  );
  const { fromBase64url: raw } = await load("base64url");
  const text = bytes.base64url;

  const different = [];
  const passedOver = [];
  let checked = 0;
  /** Runs `check` for everything in a list; it returns or throws when something is different. */
  const each = async (list, check) => {
    for (const [at, vector] of vectors[list].entries()) {
      const name = `${list} ${at}${vector.name ? `: ${vector.name}` : ""}`;
      try {
        if ((await check(vector)) === "passed over") passedOver.push(name);
        else checked += 1;
      } catch (error) {
        checked += 1;
        different.push(`${name}: ${error}`);
      }
    }
  };
  const same = (what, found, expected) => {
    if (found !== expected) throw new Error(`${what} is ${found}, not ${expected}`);
  };
  const refused = async (work) => {
    let result;
    try {
      result = await work();
    } catch (error) {
      // Not a mistake in the page's own code.
      if (!(error instanceof TypeError)) return;
      throw error;
    }
    throw new Error(`was taken, as ${result}`);
  };

  const boxes = vectors.boxes.map((vector) => ({
    token: vector.token,
    kdf: vector.kdf,
    publicKey: x25519.fromSpki(raw(vector.public_key)),
  }));
  const privateKeys = await Promise.all(
    vectors.boxes.map((vector, at) => x25519.fromPkcs8(raw(vector.pkcs8), boxes[at].publicKey)),
  );
  /** A pair that is used once, again. */
  const pairOf = async (vector) => {
    const der = raw(vectors.boxes[0].pkcs8);
    der.set(raw(vector.ephemeral), 16);
    const known = raw(vector.encryption_key).subarray(0, 32);
    return { private: await x25519.fromPkcs8(der, known), public: known };
  };
  const isArgon2id = (name) => name.startsWith("argon2id:");
  /** The bytes of a file of the vectors. */
  const plain = (length) => Uint8Array.from({ length }, (_, at) => at % 251);
  const digestOf = async (blob) =>
    text(new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer())));
  const keyOf = ({ box: at, encryption_key }) =>
    message.unwrap(boxes[at], privateKeys[at], raw(encryption_key));

  await each("passphrases", async (vector) => {
    kdf.requireSafe(vector.kdf);
    if (isArgon2id(vector.kdf)) return "passed over";
    const keys = await box.ownerKeys(vector.kdf, vector.passphrase);
    same("the master", text(await kdf.masterOf(vector.kdf, vector.passphrase)), vector.master);
    same("the seal key", text(keys.seal), vector.seal_key);
    same("the auth key", text(keys.auth), vector.auth_key);
    same("its digest", text(await kdf.digest(keys.auth)), vector.auth_digest);
  });
  await each("kdfs_refused", (vector) => refused(() => kdf.requireSafe(vector.kdf)));
  await each("boxes", async (vector) => {
    const record = { publickey: vector.public_key, kdf: vector.kdf };
    const found = await box.verified(vector.token, record);
    const owner = sealKeyOf(vector);
    if (!owner) return "passed over";
    const [key, nonce] = [raw(owner.seal_key), raw(vector.nonce)];
    const sealed = await box.sealPrivateKey(key, vector.token, raw(vector.pkcs8), nonce);
    same("the private key", text(sealed), vector.private_key);
    await box.openPrivateKey(key, found, sealed);
  });
  await each("records_refused", (vector) =>
    refused(() =>
      box.verified(vector.token, { publickey: vector.public_key, kdf: vector.kdf }),
    ),
  );
  await each("private_keys_refused", async (vector) => {
    const of = boxes[vector.box];
    const owner = sealKeyOf({ passphrase: vector.passphrase, kdf: of.kdf });
    if (!owner) return "passed over";
    await refused(() => box.openPrivateKey(raw(owner.seal_key), of, raw(vector.private_key)));
  });
  await each("texts", async (vector) => {
    const of = boxes[vector.box];
    const keyBytes = raw(vector.message_key);
    const wrapped = await message.wrap(of, keyBytes, await pairOf(vector), raw(vector.key_nonce));
    same("the encryption key", text(wrapped), vector.encryption_key);
    const key = await aead.aesKey(keyBytes);
    const sealed = await message.sealText(key, of.token, vector.text, raw(vector.message_nonce));
    same("the message", text(sealed), vector.message);
    const found = await message.openText(await keyOf(vector), of.token, raw(vector.message));
    same("the text", found, vector.text);
  });
  await each("texts_refused", (vector) =>
    refused(async () =>
      message.openText(await keyOf(vector), boxes[vector.box].token, raw(vector.message)),
    ),
  );
  await each("boxes_that_cannot_be_sealed_to", (vector) =>
    refused(async () => {
      const record = { publickey: vector.public_key, kdf: vector.kdf };
      await message.newMessageKey(await box.verified(vector.token, record));
    }),
  );

  const bodies = [];
  await each("files", async (vector) => {
    const of = boxes[vector.box];
    const key = await keyOf(vector);
    const name = await message.sealName(key, of.token, vector.name, raw(vector.name_nonce));
    same("the sealed name", text(name), vector.sealed_name);
    const found = await message.openName(key, of.token, raw(vector.sealed_name));
    same("the name", found, vector.name);
    const content = new Blob([plain(vector.length)]);
    const body = await file.sealFile(key, of.token, content, () => {}, raw(vector.prefix));
    bodies.push(new Uint8Array(await body.arrayBuffer()));
    same("the body's length", body.size, vector.body_length);
    same("the body", await digestOf(body), vector.body_digest);
    same("the length", file.plainSize(body.size), vector.length);
    const opened = await file.openFile(key, of.token, body.stream());
    same("the file", await digestOf(opened), vector.digest);
  });
  const openBody = async (at, body) => {
    const vector = vectors.files[at];
    const stream = new Blob([body]).stream();
    return file.openFile(await keyOf(vector), boxes[vector.box].token, stream);
  };
  await each("files_refused", (vector) =>
    refused(() => {
      const ranges = vector.ranges.map(([from, to]) => bodies[vector.file].subarray(from, to));
      const body = bytes.concat(...ranges, raw(vector.append ?? ""));
      if (vector.flip !== undefined) body[vector.flip] ^= 1;
      return openBody(vector.file, body);
    }),
  );
  await each("file_bodies_refused", (vector) =>
    refused(() => openBody(vector.file, raw(vector.body))),
  );
  await each("file_names_refused", (vector) =>
    refused(async () =>
      message.openName(await keyOf(vector), boxes[vector.box].token, raw(vector.sealed_name)),
    ),
  );

  await each("letters", async (vector) => {
    const [secret, nonce] = [raw(vector.secret), raw(vector.nonce)];
    const made = await letter.makeLetter(vector.text, secret, nonce);
    same("the letter", made.request.message, vector.letter);
    same("the digest", made.request.authdigest, vector.auth_digest);
    const keys = await letter.letterKeys(secret);
    same("the auth key", text(keys.auth), vector.auth_key);
    same("the text", await letter.openLetter(keys.key, raw(vector.letter)), vector.text);
    same("the link", link.letterLink(vector.id, secret, vector.base), vector.link);
    const parsed = link.parseLetter(new URL(vector.link).hash);
    same("the id", parsed.id, vector.id);
    same("the secret", text(parsed.secret), vector.secret);
  });
  await each("letters_refused", (vector) =>
    refused(async () => {
      const keys = await letter.letterKeys(raw(vector.secret));
      return letter.openLetter(keys.key, raw(vector.letter));
    }),
  );
  // A page sees no more of its own link than the fragment.
  await each("letter_links_refused", (vector) => {
    if (["path", "base"].includes(vector.reason)) return "passed over";
    same("the letter", link.parseLetter(new URL(vector.link).hash), null);
  });
  await each("share_links", (vector) =>
    same("the link", link.shareLink(vector.token, vector.base), vector.link),
  );
  await each("share_links_refused", (vector) => {
    if (["path", "base"].includes(vector.reason)) return "passed over";
    same("being a token", box.isToken(new URL(vector.link).hash.slice(1)), false);
  });
  return { different, passedOver, checked };

  /** What a passphrase stands for, where the vectors have it. */
  function sealKeyOf({ passphrase, kdf: named }) {
    return vectors.passphrases.find(
      (owner) => owner.passphrase === passphrase && owner.kdf === named,
    );
  }
}
