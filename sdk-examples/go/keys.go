package main

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Key holds a seed's two key pairs: Ed25519 signs requests, X25519 seals and opens.
type Key struct {
	signing   ed25519.PrivateKey
	agreement *ecdh.PrivateKey
}

// newKey makes the pairs of a seed of 32 bytes.
func newKey(seed []byte) (*Key, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("a seed has 32 bytes, not %d", len(seed))
	}
	// X25519 clamps the scalar itself, so the first half of the seed's hash is the secret.
	hash := sha512.Sum512(seed)
	agreement, err := ecdh.X25519().NewPrivateKey(hash[:32])
	if err != nil {
		return nil, err
	}
	return &Key{ed25519.NewKeyFromSeed(seed), agreement}, nil
}

func (key *Key) signingPublic() ed25519.PublicKey {
	return key.signing.Public().(ed25519.PublicKey)
}

func (key *Key) agreementPublic() []byte {
	return key.agreement.PublicKey().Bytes()
}

func (key *Key) sign(message []byte) []byte {
	return ed25519.Sign(key.signing, message)
}

// agree gives the secret shared with the owner of an X25519 key. It fails when that key is weak.
func (key *Key) agree(public []byte) ([]byte, error) {
	theirs, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	return key.agreement.ECDH(theirs)
}

// Keystore says who the bot is.
type Keystore struct {
	user    ID
	session ID
	key     *Key
	url     string
}

// readKeystore reads what `sealpost bot create` writes. The address in SEALPOST_URL goes before the
// one in there.
func readKeystore(path string) (*Keystore, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var stored struct {
		AppID    *ID    `json:"app_id"`
		ClientID *ID    `json:"client_id"`
		UserID   *ID    `json:"user_id"`
		Session  *ID    `json:"session_id"`
		Key      string `json:"session_private_key"`
		URL      string `json:"base_url"`
	}
	if err := json.Unmarshal(text, &stored); err != nil {
		return nil, fmt.Errorf("the keystore is malformed: %w", err)
	}
	keystore := &Keystore{url: stored.URL}
	if url := os.Getenv("SEALPOST_URL"); url != "" {
		keystore.url = url
	}
	for _, user := range []*ID{stored.UserID, stored.ClientID, stored.AppID} {
		if user != nil {
			keystore.user = *user
		}
	}
	if keystore.user == (ID{}) || stored.Session == nil || keystore.url == "" {
		return nil, errors.New("the keystore lacks app_id, session_id or base_url (or set SEALPOST_URL)")
	}
	keystore.session = *stored.Session
	keystore.key, err = readPrivateKey(stored.Key)
	return keystore, err
}

// readPrivateKey reads 64 hexadecimal digits, or 128: others write the public half too.
func readPrivateKey(text string) (*Key, error) {
	data, err := hex.DecodeString(text)
	if err != nil || len(data) != 32 && len(data) != 64 {
		return nil, errors.New("session_private_key is not 64 or 128 hexadecimal digits")
	}
	key, err := newKey(data[:32])
	if err == nil && len(data) == 64 && !bytes.Equal(data[32:], key.signingPublic()) {
		return nil, errors.New("session_private_key has another key's public half")
	}
	return key, err
}
