package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ID is the UUID of an account, a session, a conversation or a message.
type ID [16]byte

// Where the hyphens of an id's text are.
var hyphens = map[int]bool{8: true, 13: true, 18: true, 23: true}

var (
	errID     = errors.New("an id is hexadecimal with hyphens after 8, 12, 16 and 20 digits")
	errBase64 = errors.New("no base64 in one alphabet, with the right padding or none")
)

// readID reads the form with hyphens, in either case, and no other.
func readID(text string) (ID, error) {
	var id ID
	if len(text) != 36 {
		return id, errID
	}
	var digits strings.Builder
	for at := 0; at < len(text); at++ {
		switch {
		case hyphens[at] != (text[at] == '-'):
			return id, errID
		case text[at] != '-':
			digits.WriteByte(text[at])
		}
	}
	data, err := hex.DecodeString(digits.String())
	if err != nil {
		return id, errID
	}
	copy(id[:], data)
	return id, nil
}

// String is the form with hyphens in lower case.
func (id ID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// MarshalJSON writes an id as its text.
func (id ID) MarshalJSON() ([]byte, error) {
	return json.Marshal(id.String())
}

// UnmarshalJSON reads an id from its text.
func (id *ID) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	read, err := readID(text)
	*id = read
	return err
}

// randomID makes a version 4 id.
func randomID() ID {
	var id ID
	fillRandom(id[:])
	return id.marked(4)
}

// marked sets the bits of a version, and those of the variant of RFC 9562.
func (id ID) marked(version byte) ID {
	id[6] = id[6]&0x0f | version<<4
	id[8] = id[8]&0x3f | 0x80
	return id
}

// writeBytes writes base64 in the URL alphabet without padding.
func writeBytes(data []byte) string {
	return base64.RawURLEncoding.EncodeToString(data)
}

// readBytes reads base64 in one of both alphabets, with the right padding or none.
func readBytes(text string) ([]byte, error) {
	digits := strings.TrimRight(text, "=")
	padding := len(text) - len(digits)
	if padding > 2 || padding > 0 && len(text)%4 != 0 {
		return nil, errBase64
	}
	encoding := base64.RawURLEncoding
	if strings.ContainsAny(digits, "+/") {
		encoding = base64.RawStdEncoding
	}
	return decodeStrictly(encoding, digits)
}

// decodeStrictly takes the one text of some bytes. Go's own decoder passes line breaks over.
func decodeStrictly(encoding *base64.Encoding, text string) ([]byte, error) {
	data, err := encoding.Strict().DecodeString(text)
	if err != nil || encoding.EncodeToString(data) != text {
		return nil, errBase64
	}
	return data, nil
}

// readKey reads the 32 bytes of a public key.
func readKey(text string) ([]byte, error) {
	key, err := readBytes(text)
	if err != nil {
		return nil, err
	}
	if len(key) != 32 {
		return nil, fmt.Errorf("a key has 32 bytes, this one has %d", len(key))
	}
	return key, nil
}

// fillRandom fills with randomness, or ends the program: there is no going on without.
func fillRandom(data []byte) {
	if _, err := rand.Read(data); err != nil {
		panic(err)
	}
}
