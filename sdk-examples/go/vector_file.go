package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
)

// deviation is a vector that does not hold, or one of a kind that is not known. In these checks it
// is a panic, which ends at the name of its file.
type deviation struct{ text string }

func deviate(format string, values ...any) {
	panic(deviation{fmt.Sprintf(format, values...)})
}

// vectorFile is one file. Each of its members has to be taken, and each member of each case known.
type vectorFile struct {
	members map[string]json.RawMessage
	place   string
	count   int
}

// vector is one case of a list.
type vector map[string]json.RawMessage

// checkFile runs one check over its file and counts the vectors that hold.
func checkFile(folder, name string, check func(file *vectorFile)) (count int, err error) {
	file := &vectorFile{}
	defer func() {
		switch failure := recover().(type) {
		case nil:
		case deviation:
			err = fmt.Errorf("%s: %s: %s", name, file.place, failure.text)
		default:
			panic(failure)
		}
	}()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return 0, err
	}
	read(text, &file.members)
	file.take("source")
	check(file)
	if len(file.members) > 0 {
		deviate("unknown members %v", reflect.ValueOf(file.members).MapKeys())
	}
	return file.count, nil
}

// take takes a member of the file.
func (file *vectorFile) take(member string) json.RawMessage {
	file.place = member
	value, present := file.members[member]
	if !present {
		deviate("no such member")
	}
	delete(file.members, member)
	return value
}

func (file *vectorFile) text(member string) string {
	var text string
	read(file.take(member), &text)
	return text
}

// each checks the cases of a list, which have these members and no others.
func (file *vectorFile) each(member string, names []string, check func(one vector)) {
	var list []vector
	read(file.take(member), &list)
	if len(list) == 0 {
		deviate("an empty list")
	}
	for at, one := range list {
		file.place = fmt.Sprintf("%s[%d]", member, at)
		one.has(names...)
		check(one)
		file.count++
	}
}

// has insists on these members and no others.
func (one vector) has(names ...string) {
	for _, name := range names {
		if _, present := one[name]; !present {
			deviate("no member %s", name)
		}
	}
	if len(one) != len(names) {
		deviate("members %v, known are %v", reflect.ValueOf(one).MapKeys(), names)
	}
}

func (one vector) text(name string) string {
	var text string
	read(one[name], &text)
	return text
}

func (one vector) texts(name string) []string {
	var texts []string
	read(one[name], &texts)
	return texts
}

func (one vector) vectors(name string) []vector {
	var vectors []vector
	read(one[name], &vectors)
	return vectors
}

// hex is what a member says in hexadecimal.
func (one vector) hex(name string) []byte {
	return right(hex.DecodeString(one.text(name)))
}

// base64 is what a member says in base64.
func (one vector) base64(name string) []byte {
	return right(readBytes(one.text(name)))
}

func (one vector) id(name string) ID {
	return right(readID(one.text(name)))
}

func (one vector) ids(name string) []ID {
	var ids []ID
	for _, text := range one.texts(name) {
		ids = append(ids, right(readID(text)))
	}
	return ids
}

// key is that of the seed in a member.
func (one vector) key(name string) *Key {
	return right(newKey(one.hex(name)))
}

func read(text json.RawMessage, into any) {
	if err := json.Unmarshal(text, into); err != nil {
		deviate("%v", err)
	}
}

// right gives what came out, and deviates when an error did.
func right[T any](value T, err error) T {
	if err != nil {
		deviate("%v", err)
	}
	return value
}

// refused insists on an error, and gives it.
func refused[T any](_ T, err error) error {
	if err == nil {
		deviate("what has to be refused was not")
	}
	return err
}

func same[T comparable](found, expected T) {
	if found != expected {
		deviate("%v where %v is right", found, expected)
	}
}

func sameBytes(found, expected []byte) {
	if !bytes.Equal(found, expected) {
		deviate("%x where %x is right", found, expected)
	}
}
