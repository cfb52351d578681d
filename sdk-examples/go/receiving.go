package main

import (
	"errors"
	"fmt"
	"os"
	"unicode/utf8"
)

const (
	pollSeconds = 30
	// The gateway holds what it hands out for a minute, so few enough to be answered in that time.
	pollLimit  = 20
	remembered = 10_000
)

// Incoming is a text that was opened, from the account whose key sealed it.
type Incoming struct {
	id           ID
	conversation ID
	sender       ID
	text         string
}

// messageKey names a message: ids are their senders' own, so two of them may use the same.
type messageKey struct {
	sender string
	id     ID
}

// Inbox receives the messages of this session by long poll.
type Inbox struct {
	keystore *Keystore
	gateway  *Gateway
	handled  map[messageKey]bool
	// The same in their order, so that the oldest are forgotten.
	order []messageKey
	keys  map[ID][][]byte
}

// unreadable is a message that cannot be opened, now or later.
type unreadable struct {
	cause error
}

func (err *unreadable) Error() string {
	return err.cause.Error()
}

func newInbox(keystore *Keystore, gateway *Gateway) *Inbox {
	return &Inbox{keystore, gateway, make(map[messageKey]bool), nil, make(map[ID][][]byte)}
}

// listen calls handle for each text, for ever. One that it fails for comes again.
func (inbox *Inbox) listen(handle func(Incoming) error, onReady func()) error {
	messages, err := inbox.gateway.readInbox(0, pollLimit)
	if err != nil {
		return err
	}
	onReady()
	for {
		var done []ID
		for _, message := range messages {
			if inbox.takeCare(message, handle) {
				done = append(done, message.ID)
			}
		}
		messages, err = inbox.acknowledgeAndRead(done)
		var failure *GatewayError
		if err != nil && (!errors.As(err, &failure) || !failure.mayPass) {
			return err
		}
		if err != nil {
			// A bot outlives its gateway's restart.
			fmt.Fprintln(os.Stderr, "trying again:", err)
		}
	}
}

func (inbox *Inbox) acknowledgeAndRead(done []ID) ([]InboxMessage, error) {
	if len(done) > 0 {
		if err := inbox.gateway.acknowledge(done); err != nil {
			return nil, err
		}
	}
	return inbox.gateway.readInbox(pollSeconds, pollLimit)
}

// takeCare tells whether the message needs no further care.
func (inbox *Inbox) takeCare(message InboxMessage, handle func(Incoming) error) bool {
	key := messageKey{message.Sender, message.ID}
	if inbox.handled[key] {
		return true
	}
	err := inbox.openAndHandle(message, handle)
	var never *unreadable
	switch {
	case errors.As(err, &never):
		// Left in the inbox, it would stand in the way of others.
		fmt.Fprintf(os.Stderr, "message %v: %v\n", message.ID, err)
	case err != nil:
		fmt.Fprintf(os.Stderr, "message %v comes again: %v\n", message.ID, err)
		return false
	}
	inbox.remember(key)
	return true
}

func (inbox *Inbox) remember(key messageKey) {
	inbox.handled[key] = true
	inbox.order = append(inbox.order, key)
	if len(inbox.order) > remembered {
		delete(inbox.handled, inbox.order[0])
		inbox.order = inbox.order[1:]
	}
}

// openAndHandle passes over what is no text, and the gateway's own news.
func (inbox *Inbox) openAndHandle(message InboxMessage, handle func(Incoming) error) error {
	if message.Category != "ENCRYPTED_TEXT" {
		return nil
	}
	sender, senderErr := readID(message.Sender)
	conversation, conversationErr := readID(message.Conversation)
	data, dataErr := readBytes(message.Data)
	envelope, envelopeErr := parseEnvelope(data)
	for _, err := range []error{senderErr, conversationErr, dataErr, envelopeErr} {
		if err != nil {
			return &unreadable{err}
		}
	}
	senders, err := inbox.keysOf(sender, envelope.sender)
	if err != nil {
		return err
	}
	text, err := openEnvelope(data, inbox.keystore.session, inbox.keystore.key, oneOf(senders))
	if err == nil && !utf8.Valid(text) {
		err = errors.New("the text is no UTF-8")
	}
	if err != nil {
		return &unreadable{err}
	}
	return handle(Incoming{message.ID, conversation, sender, string(text)})
}

// keysOf gives the keys that were published for the sender; it asks again when key is not among
// them. A session may have ended since it sent, so keys that were seen are kept.
func (inbox *Inbox) keysOf(sender ID, key []byte) ([][]byte, error) {
	if contains(inbox.keys[sender], key) {
		return inbox.keys[sender], nil
	}
	found, err := inbox.gateway.devicesOf([]ID{sender})
	if err != nil {
		return nil, err
	}
	keys := append([][]byte{}, inbox.keys[sender]...)
	for _, device := range found[sender] {
		if !contains(keys, device.key) {
			keys = append(keys, device.key)
		}
	}
	inbox.keys[sender] = keys
	return keys, nil
}
