package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
)

// An envelope has one body, and a slot with its key for each session:
//
//	1 version, 1
//	2 number of slots, little endian, 1 to 510
//	32 the sender's X25519 public key
//	64 each: slots of 16 session id, 16 IV, 32 AES-256-CBC of the message key and its padding
//	12 nonce
//	the rest: AES-128-GCM of the plaintext, with its tag of 16 bytes
const (
	headerLength = 3 + 32
	slotLength   = 64
	nonceLength  = 12
	tagLength    = 16
	maxSessions  = 510
	shortest     = headerLength + slotLength + nonceLength + tagLength
)

// A message key fills its block, so its PKCS#7 padding is a block of nothing else.
var keyPadding = bytes.Repeat([]byte{16}, 16)

// EnvelopeError says why an envelope was not opened or not made; its kind is for programs.
type EnvelopeError struct {
	kind string
	text string
}

func (err *EnvelopeError) Error() string {
	return err.text
}

func malformed(format string, values ...any) error {
	return &EnvelopeError{"malformed", fmt.Sprintf(format, values...)}
}

// What exactly is wrong with key, slot or body helps only an attacker.
var errUnreadable = &EnvelopeError{"unreadable", "the envelope cannot be read with this key"}

// Envelope is what can be read without any key.
type Envelope struct {
	sender   []byte
	sessions []ID
	slots    map[ID][]byte
	nonce    []byte
	body     []byte
}

// parseEnvelope reads an envelope, or says what is malformed about it.
func parseEnvelope(data []byte) (*Envelope, error) {
	if len(data) < shortest {
		return nil, malformed("an envelope has at least %d bytes", shortest)
	}
	if data[0] != 1 {
		return nil, malformed("unknown envelope version %d", data[0])
	}
	count := int(binary.LittleEndian.Uint16(data[1:]))
	if count < 1 || count > maxSessions {
		return nil, malformed("an envelope names 1 to 510 sessions, not %d", count)
	}
	end := headerLength + count*slotLength
	if len(data) < end+nonceLength+tagLength {
		return nil, malformed("too short for its number of sessions")
	}
	envelope := &Envelope{
		sender: data[3:headerLength],
		slots:  make(map[ID][]byte, count),
		nonce:  data[end : end+nonceLength],
		body:   data[end+nonceLength:],
	}
	for at := headerLength; at < end; at += slotLength {
		session := ID(data[at : at+16])
		if envelope.slots[session] != nil {
			return nil, malformed("session %v has more than one slot", session)
		}
		envelope.slots[session] = data[at : at+slotLength]
		envelope.sessions = append(envelope.sessions, session)
	}
	return envelope, nil
}

// anybody takes every sender: then the plaintext may come from whoever knows the session's key.
func anybody([]byte) bool {
	return true
}

// oneOf takes the senders that have one of these X25519 keys.
func oneOf(keys [][]byte) func([]byte) bool {
	return func(key []byte) bool { return contains(keys, key) }
}

// openEnvelope gives the plaintext for one of the sessions, if its sender's key is an expected one:
// one of those that are published for whom the message claims to be from.
func openEnvelope(data []byte, session ID, key *Key, expected func([]byte) bool) ([]byte, error) {
	envelope, err := parseEnvelope(data)
	if err != nil {
		return nil, err
	}
	slot := envelope.slots[session]
	if slot == nil {
		return nil, &EnvelopeError{"not_for_me", fmt.Sprintf("no slot for session %v", session)}
	}
	if !expected(envelope.sender) {
		return nil, &EnvelopeError{"unknown_sender", "sealed by an unknown key"}
	}
	shared, err := key.agree(envelope.sender)
	if err != nil {
		return nil, errUnreadable
	}
	padded := make([]byte, 32)
	cipher.NewCBCDecrypter(blockCipher(shared), slot[16:32]).CryptBlocks(padded, slot[32:])
	isPadded := subtle.ConstantTimeCompare(padded[16:], keyPadding)
	plaintext, err := bodyCipher(padded[:16]).Open(nil, envelope.nonce, envelope.body, nil)
	if err != nil || isPadded != 1 {
		return nil, errUnreadable
	}
	return plaintext, nil
}

// Device is a session and the X25519 key that is published for it.
type Device struct {
	session ID
	key     []byte
}

// seal encrypts once, and wraps the message's key for each device. Nobody is ever left out.
func seal(plaintext []byte, key *Key, devices []Device) ([]byte, error) {
	if len(devices) < 1 || len(devices) > maxSessions {
		return nil, fmt.Errorf("an envelope takes 1 to 510 sessions, not %d", len(devices))
	}
	var messageKey [16]byte
	fillRandom(messageKey[:])
	data := append([]byte{1}, binary.LittleEndian.AppendUint16(nil, uint16(len(devices)))...)
	data = append(data, key.agreementPublic()...)
	named := make(map[ID]bool, len(devices))
	for _, device := range devices {
		if named[device.session] {
			return nil, fmt.Errorf("session %v is named more than once", device.session)
		}
		named[device.session] = true
		slot, err := makeSlot(messageKey[:], key, device)
		if err != nil {
			return nil, err
		}
		data = append(data, slot...)
	}
	var nonce [nonceLength]byte
	fillRandom(nonce[:])
	data = append(data, nonce[:]...)
	return bodyCipher(messageKey[:]).Seal(data, nonce[:], plaintext, nil), nil
}

func makeSlot(messageKey []byte, key *Key, device Device) ([]byte, error) {
	shared, err := key.agree(device.key)
	if err != nil {
		return nil, fmt.Errorf("session %v has no usable key: %w", device.session, err)
	}
	slot := make([]byte, slotLength)
	copy(slot, device.session[:])
	fillRandom(slot[16:32])
	padded := append(append([]byte{}, messageKey...), keyPadding...)
	cipher.NewCBCEncrypter(blockCipher(shared), slot[16:32]).CryptBlocks(slot[32:], padded)
	return slot, nil
}

// blockCipher is AES of a key whose length is right, which is all that can be wrong about it.
func blockCipher(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	return block
}

func bodyCipher(key []byte) cipher.AEAD {
	body, err := cipher.NewGCM(blockCipher(key))
	if err != nil {
		panic(err)
	}
	return body
}

func contains(keys [][]byte, key []byte) bool {
	for _, one := range keys {
		if bytes.Equal(one, key) {
			return true
		}
	}
	return false
}
