// A hint about a passphrase: a rough upper bound of the work to guess it, in words. It knows no
// dictionary, so it may praise what is in one; it never forbids anything but the very short.

/** A passphrase with fewer characters than this is refused. */
export const LEAST = 8;

/** What to say about a passphrase while it is typed. */
export function hint(passphrase) {
  const length = [...passphrase].length;
  if (length === 0) return "";
  if (length < LEAST) return `Too short: at least ${LEAST} characters.`;
  const bits = bitsOf(passphrase);
  if (bits < 45) return "Weak. Several words that do not belong together are better.";
  if (bits < 70) return "Fair. Another word or two would make it strong.";
  return "Strong, if it is written nowhere and nobody could know it.";
}

function bitsOf(passphrase) {
  const characters = [...passphrase];
  const kinds = [
    [/[a-z]/, 26],
    [/[A-Z]/, 26],
    [/[0-9]/, 10],
    [/[^a-zA-Z0-9]/, 33],
  ];
  const choices = kinds.reduce((sum, [kind, size]) => sum + (kind.test(passphrase) ? size : 0), 0);
  return surprises(characters) * Math.log2(choices);
}

/** Characters that do not just repeat or count on from the one before; letters of words count half. */
function surprises(characters) {
  let count = 0;
  characters.forEach((character, at) => {
    const before = characters[at - 1];
    const step = before === undefined ? 99 : character.codePointAt(0) - before.codePointAt(0);
    if (Math.abs(step) <= 1) count += 0.1;
    else if (/[a-z]/.test(character) && /[a-z]/i.test(before ?? "")) count += 0.5;
    else count += 1;
  });
  return count;
}
