package main

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sort"
	"strings"
)

// sessionChecksum is the lower-case MD5 of the sessions' ids, each once, sorted and joined with
// nothing. It finds an old list and protects nothing, which is why MD5 will do.
func sessionChecksum(sessions []ID) string {
	if len(sessions) == 0 {
		return ""
	}
	texts := texts(sessions)
	digest := md5.New()
	for at, text := range texts {
		if at == 0 || text != texts[at-1] {
			digest.Write([]byte(text))
		}
	}
	return hex.EncodeToString(digest.Sum(nil))
}

// readChecksum gives the checksum itself, when it is one.
func readChecksum(text string) (string, error) {
	data, err := hex.DecodeString(text)
	if err != nil || len(data) != 16 && len(data) != 0 || strings.ToLower(text) != text {
		return "", errors.New("a checksum is empty, or 32 digits of lower-case hexadecimal")
	}
	return text, nil
}

// contactConversation is the conversation of two accounts, whoever asks.
func contactConversation(one, other ID) ID {
	return combine(one.String(), other.String())
}

// groupConversation is the id of a group that its owner makes with these other participants.
func groupConversation(owner ID, name string, random ID, participants []ID) ID {
	group := combine(combine(owner.String(), name).String(), random.String())
	for _, participant := range texts(participants) {
		group = combine(group.String(), participant)
	}
	return group
}

// becauseOf is the id of what is sent because of another message: the same one however often.
func becauseOf(cause ID, purpose string) ID {
	digest := sha256.Sum256(append([]byte(purpose), cause[:]...))
	return ID(digest[:16]).marked(4)
}

func combine(one, other string) ID {
	if one > other {
		one, other = other, one
	}
	return ID(md5.Sum([]byte(one + other))).marked(3)
}

// texts gives the ids' texts, sorted.
func texts(ids []ID) []string {
	var texts []string
	for _, id := range ids {
		texts = append(texts, id.String())
	}
	sort.Strings(texts)
	return texts
}
