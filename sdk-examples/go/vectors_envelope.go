package main

import (
	"encoding/json"
	"errors"
)

func checkEnvelopes(file *vectorFile) {
	names := []string{"name", "sender_seed", "sender_public_key", "plaintext", "checksum", "envelope", "devices"}
	file.each("opens", names, func(one vector) {
		sender, public := one.key("sender_seed"), one.base64("sender_public_key")
		sameBytes(sender.agreementPublic(), public)
		envelope := one.base64("envelope")
		same(sessionChecksum(right(parseEnvelope(envelope)).sessions), one.text("checksum"))
		for _, device := range one.vectors("devices") {
			device.has("session_id", "seed", "public_key", "slice")
			sameBytes(device.key("seed").agreementPublic(), device.base64("public_key"))
			opensTo(envelope, device, public, one.hex("plaintext"))
			opensTo(device.base64("slice"), device, public, one.hex("plaintext"))
		}
		opensWhatItSeals(sender, one.hex("plaintext"), one.vectors("devices"))
	})
	file.each("malformed", []string{"name", "envelope", "reason"}, func(one vector) {
		same(kindOf(refused(parseEnvelope(one.base64("envelope")))), "malformed")
	})
	file.each("unreadable", []string{"name", "envelope", "session_id", "seed"}, func(one vector) {
		right(parseEnvelope(one.base64("envelope")))
		same(refusalOf(one, anybody), "unreadable")
	})
	names = []string{"name", "envelope", "session_id", "seed", "senders", "error"}
	file.each("refused", names, func(one vector) {
		same(refusalOf(one, expectedSenders(one["senders"])), one.text("error"))
	})
}

func checkPlainCryptography(file *vectorFile) {
	names := []string{"sender_seed", "sender_agreement_key", "plaintext", "devices", "envelope"}
	file.each("envelopes", names, func(one vector) {
		public := one.hex("sender_agreement_key")
		sameBytes(one.key("sender_seed").agreementPublic(), public)
		for _, device := range one.vectors("devices") {
			device.has("session_id", "seed", "agreement_key")
			sameBytes(device.key("seed").agreementPublic(), device.hex("agreement_key"))
			opensTo(one.hex("envelope"), device, public, one.hex("plaintext"))
		}
	})
}

func opensTo(envelope []byte, device vector, sender, plaintext []byte) {
	expected := oneOf([][]byte{sender})
	opened := right(openEnvelope(envelope, device.id("session_id"), device.key("seed"), expected))
	sameBytes(opened, plaintext)
}

func opensWhatItSeals(sender *Key, plaintext []byte, devices []vector) {
	var recipients []Device
	for _, device := range devices {
		public := device.key("seed").agreementPublic()
		recipients = append(recipients, Device{device.id("session_id"), public})
	}
	envelope := right(seal(plaintext, sender, recipients))
	for _, device := range devices {
		opensTo(envelope, device, sender.agreementPublic(), plaintext)
	}
}

// expectedSenders are the keys of a list; `null` is anybody, and a list of nobody is nobody.
func expectedSenders(list json.RawMessage) func([]byte) bool {
	var texts *[]string
	read(list, &texts)
	if texts == nil {
		return anybody
	}
	var keys [][]byte
	for _, text := range *texts {
		keys = append(keys, right(readKey(text)))
	}
	return oneOf(keys)
}

func refusalOf(one vector, expected func([]byte) bool) string {
	envelope, session, key := one.base64("envelope"), one.id("session_id"), one.key("seed")
	return kindOf(refused(openEnvelope(envelope, session, key, expected)))
}

func kindOf(err error) string {
	var refusal *EnvelopeError
	if !errors.As(err, &refusal) {
		deviate("refused by chance: %v", err)
	}
	return refusal.kind
}
