package main

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
)

var errAttachment = errors.New("the attachment cannot be read with this key and digest")

// encryptAttachment gives the bytes to upload, and the key and the digest to send.
//
// The bytes are 16 of IV, AES-256-CBC with PKCS#7 padding, and 32 of HMAC-SHA256 over both. The key
// has 32 bytes for AES and 32 for the MAC. The digest of all encrypted bytes travels with the key,
// so that whoever stores the file can neither change nor exchange it.
func encryptAttachment(plaintext []byte) (data, key, digest []byte) {
	key = make([]byte, 64)
	fillRandom(key)
	padding := 16 - len(plaintext)%16
	padded := append(append([]byte{}, plaintext...), bytes.Repeat([]byte{byte(padding)}, padding)...)
	data = make([]byte, 16+len(padded))
	fillRandom(data[:16])
	cipher.NewCBCEncrypter(blockCipher(key[:32]), data[:16]).CryptBlocks(data[16:], padded)
	data = append(data, attachmentMAC(key, data)...)
	sum := sha256.Sum256(data)
	return data, key, sum[:]
}

// decryptAttachment gives the file, or an error when anything is not as its sender made it.
func decryptAttachment(data, key, digest []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	if len(data) < 16+16+32 || len(data)%16 != 0 || subtle.ConstantTimeCompare(sum[:], digest) != 1 {
		return nil, errAttachment
	}
	sealed, mac := data[:len(data)-32], data[len(data)-32:]
	if !hmac.Equal(attachmentMAC(key, sealed), mac) {
		return nil, errAttachment
	}
	padded := make([]byte, len(sealed)-16)
	cipher.NewCBCDecrypter(blockCipher(key[:32]), sealed[:16]).CryptBlocks(padded, sealed[16:])
	padding := int(padded[len(padded)-1])
	if padding < 1 || padding > 16 {
		return nil, errAttachment
	}
	plaintext, end := padded[:len(padded)-padding], padded[len(padded)-padding:]
	if !bytes.Equal(end, bytes.Repeat([]byte{byte(padding)}, padding)) {
		return nil, errAttachment
	}
	return plaintext, nil
}

func attachmentMAC(key, data []byte) []byte {
	mac := hmac.New(sha256.New, key[32:])
	mac.Write(data)
	return mac.Sum(nil)
}
