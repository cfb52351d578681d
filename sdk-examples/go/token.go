package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// How long a token is good for, in seconds.
const tokenLife = 120

// The header of every token: a JWT (RFC 7519) with EdDSA (RFC 8037).
const tokenHeader = `{"typ":"JWT","alg":"EdDSA"}`

// Claims are what a token says; it is signed for one request alone.
type Claims struct {
	User    ID     `json:"uid"`
	Session ID     `json:"sid"`
	Issued  int64  `json:"iat"`
	Expires int64  `json:"exp"`
	ID      string `json:"jti"`
	Digest  string `json:"sig"`
	Scope   string `json:"scp"`
}

// requestDigest is the SHA-256 over method, path with query, and body.
func requestDigest(method, path string, body []byte) string {
	digest := sha256.Sum256(append([]byte(method+path), body...))
	return hex.EncodeToString(digest[:])
}

// signToken makes the token of these claims.
func signToken(claims Claims, key *Key) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	message := writeBytes([]byte(tokenHeader)) + "." + writeBytes(payload)
	return message + "." + writeBytes(key.sign([]byte(message))), nil
}

// token is the bearer for one try of one request.
func (keystore *Keystore) token(method, path string, body []byte) (string, error) {
	now := time.Now().Unix()
	claims := Claims{
		User:    keystore.user,
		Session: keystore.session,
		Issued:  now,
		Expires: now + tokenLife,
		ID:      randomID().String(),
		Digest:  requestDigest(method, path, body),
		Scope:   "FULL",
	}
	return signToken(claims, keystore.key)
}
