package main

import (
	"crypto/ed25519"
	"fmt"
	"os"
)

// The files that concern bots.
var vectorChecks = map[string]func(file *vectorFile){
	"attachment.json":         checkAttachments,
	"base64url.json":          checkBase64,
	"checksum.json":           checkChecksums,
	"conversation_id.json":    checkConversations,
	"envelope_v1.json":        checkEnvelopes,
	"ids.json":                checkIDs,
	"keys.json":               checkKeys,
	"plain_cryptography.json": checkPlainCryptography,
	"token.json":              checkTokens,
}

// What else is in the folder.
var notForBots = map[string]bool{
	"README.md":          true,
	"keyservice_v1.json": true,
	"keyservice_v2.json": true,
	"rsa_for_tests.pem":  true,
	"tls":                true,
}

// checkVectors checks the vectors of the repository: known answers, and what has to be refused.
func checkVectors(arguments []string) error {
	folder := arguments[0]
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if _, known := vectorChecks[entry.Name()]; !known && !notForBots[entry.Name()] {
			return fmt.Errorf("%s: a file of an unknown kind", entry.Name())
		}
	}
	count := 0
	for name, check := range vectorChecks {
		held, err := checkFile(folder, name, check)
		if err != nil {
			return err
		}
		count += held
	}
	fmt.Println(count, "vectors hold")
	return nil
}

func checkBase64(file *vectorFile) {
	file.each("forms", []string{"bytes", "text", "also_read"}, func(one vector) {
		data := one.hex("bytes")
		same(writeBytes(data), one.text("text"))
		for _, text := range append(one.texts("also_read"), one.text("text")) {
			sameBytes(right(readBytes(text)), data)
		}
	})
	file.each("refused", []string{"name", "text", "reason"}, func(one vector) {
		refused(readBytes(one.text("text")))
	})
}

func checkIDs(file *vectorFile) {
	file.each("accepted", []string{"text", "id"}, func(one vector) {
		same(one.id("text").String(), one.text("id"))
	})
	file.each("refused", []string{"text", "reason"}, func(one vector) {
		refused(readID(one.text("text")))
	})
}

func checkChecksums(file *vectorFile) {
	file.each("valid", []string{"name", "sessions", "checksum"}, func(one vector) {
		sessions := one.ids("sessions")
		checksum := right(readChecksum(one.text("checksum")))
		same(sessionChecksum(sessions), checksum)
		for low, high := 0, len(sessions)-1; low < high; low, high = low+1, high-1 {
			sessions[low], sessions[high] = sessions[high], sessions[low]
		}
		same(sessionChecksum(sessions), checksum)
	})
	var invalid []string
	read(file.take("invalid"), &invalid)
	for _, text := range invalid {
		refused(readChecksum(text))
		file.count++
	}
}

func checkConversations(file *vectorFile) {
	file.each("contacts", []string{"name", "users", "conversation_id"}, func(one vector) {
		users, expected := one.ids("users"), one.id("conversation_id")
		same(contactConversation(users[0], users[1]), expected)
		same(contactConversation(users[1], users[0]), expected)
	})
	names := []string{"name", "owner", "group_name", "random_id", "participants", "conversation_id"}
	file.each("groups", names, func(one vector) {
		owner, random, participants := one.id("owner"), one.id("random_id"), one.ids("participants")
		found := groupConversation(owner, one.text("group_name"), random, participants)
		same(found, one.id("conversation_id"))
	})
}

func checkKeys(file *vectorFile) {
	names := []string{"seed", "ed25519_public_key", "x25519_public_key", "statement"}
	file.each("pairs", names, func(one vector) {
		key := one.key("seed")
		sameBytes(key.signingPublic(), one.base64("ed25519_public_key"))
		sameBytes(key.agreementPublic(), one.base64("x25519_public_key"))
		right(0, checkPublicKey(key.signingPublic()))
		var statement vector
		read(one["statement"], &statement)
		checkStatement(key, statement)
	})
	file.each("refused", []string{"ed25519_public_key", "reason"}, func(one vector) {
		refused(0, checkPublicKey(one.hex("ed25519_public_key")))
	})
	file.each("agreement_refused", []string{"x25519_public_key", "reason"}, func(one vector) {
		key := right(newKey(make([]byte, 32)))
		refused(key.agree(one.hex("x25519_public_key")))
	})
	file.each("texts_refused", []string{"name", "public_key", "reason"}, func(one vector) {
		refused(readKey(one.text("public_key")))
	})
	names = []string{"name", "ed25519_public_key", "message", "signature"}
	file.each("signatures_refused", names, func(one vector) {
		public := ed25519.PublicKey(right(readKey(one.text("ed25519_public_key"))))
		same(ed25519.Verify(public, one.hex("message"), one.base64("signature")), false)
	})
}

// checkStatement checks what a new device and the one that adds it sign: who says it, account,
// session, key.
func checkStatement(key *Key, one vector) {
	one.has("user_id", "added_by", "signed_by_new_key", "signature_of_new_key",
		"signed_by_adder", "signature_of_same_key_as_adder")
	for _, says := range []struct{ text, signed, signature string }{
		{"sealpost session v1 new key", "signed_by_new_key", "signature_of_new_key"},
		{"sealpost session v1 adding key", "signed_by_adder", "signature_of_same_key_as_adder"},
	} {
		user, session := one.id("user_id"), one.id("added_by")
		statement := make([]byte, 32)
		copy(statement, says.text)
		statement = append(append(statement, user[:]...), session[:]...)
		statement = append(statement, key.signingPublic()...)
		sameBytes(statement, one.hex(says.signed))
		sameBytes(key.sign(statement), one.base64(says.signature))
	}
}

func checkAttachments(file *vectorFile) {
	file.each("cases", []string{"plaintext", "key", "digest", "bytes"}, func(one vector) {
		plaintext := one.hex("plaintext")
		opened := right(decryptAttachment(one.base64("bytes"), one.hex("key"), one.hex("digest")))
		sameBytes(opened, plaintext)
		sameBytes(right(decryptAttachment(encryptAttachment(plaintext))), plaintext)
	})
	file.each("refused", []string{"name", "key", "digest", "bytes"}, func(one vector) {
		refused(decryptAttachment(one.base64("bytes"), one.hex("key"), one.hex("digest")))
	})
}

func checkTokens(file *vectorFile) {
	var request vector
	read(file.take("request"), &request)
	request.has("method", "path", "body")
	var claims Claims
	read(file.take("claims"), &claims)
	var now int64
	read(file.take("now"), &now)
	key := vector{"seed": file.take("seed")}.key("seed")
	public := ed25519.PublicKey(right(readKey(file.text("ed25519_public_key"))))
	sameBytes(key.signingPublic(), public)
	digest := requestDigest(request.text("method"), request.text("path"), []byte(request.text("body")))
	same(claims.Digest, digest)
	accepted := file.text("accepted")
	same(right(signToken(claims, key)), accepted)
	same(right(acceptToken(accepted, public, digest, now)), claims)
	file.count++
	file.each("refused", []string{"name", "token", "reason"}, func(one vector) {
		refused(acceptToken(one.text("token"), public, digest, now))
	})
}
