package main

import (
	"fmt"
	"time"
)

const (
	batchItems = 100
	// A request may have 8 MiB; the other members are beside this.
	batchBytes = 4 << 20
	// How often one message is sealed anew before its recipient's devices change too fast.
	rounds = 6
)

// What becomes of a message. Other outcomes begin with "deferred", "rejected", "failed" or "unknown".
const (
	delivered  = "delivered"
	gone       = "gone"
	stillStale = "still stale"
	noDevice   = "deferred: nobody is signed in"
)

// Message is a text to one account. Under one id it is delivered once, however often it is sent.
type Message struct {
	recipient    ID
	text         string
	id           ID
	conversation ID
}

// Sender sends, and remembers everybody's devices.
//
// The gateway compares the checksum of each message with the devices that there are. When it
// differs, nothing is stored and the receipt brings the list as it is now; the message is sealed for
// that one and sent again under the id it had.
type Sender struct {
	keystore *Keystore
	gateway  *Gateway
	known    map[ID][]Device
	// Told of each message whose list of devices was old.
	onRefresh func(message Message, before, after []Device)
}

// sealed is a message with its item of a request.
type sealed struct {
	message Message
	item    Outgoing
}

func newSender(keystore *Keystore, gateway *Gateway) *Sender {
	ignore := func(Message, []Device, []Device) {}
	return &Sender{keystore, gateway, make(map[ID][]Device), ignore}
}

// message is a text in the conversation of the two, under an id of its own.
func (sender *Sender) message(recipient ID, text string) Message {
	conversation := contactConversation(sender.keystore.user, recipient)
	return Message{recipient, text, randomID(), conversation}
}

// send tells what became of each message, by its id.
func (sender *Sender) send(messages []Message) (map[ID]string, error) {
	outcomes, waiting := make(map[ID]string), messages
	for round := 0; round < rounds; round++ {
		// After a list that was old it goes on at once; one that stays old is given time.
		if len(waiting) > 0 && round >= 2 {
			time.Sleep(backoff(round))
		}
		var err error
		if waiting, err = sender.round(waiting, outcomes); err != nil {
			return nil, err
		}
	}
	for _, message := range waiting {
		outcomes[message.id] = stillStale
	}
	return outcomes, nil
}

// round takes every message one round further, and gives those whose list was old.
func (sender *Sender) round(messages []Message, outcomes map[ID]string) ([]Message, error) {
	ready, err := sender.seal(messages, outcomes)
	if err != nil {
		return nil, err
	}
	var stale []Message
	for _, batch := range batches(ready) {
		receipts, err := sender.post(batch)
		if err != nil {
			// The gateway may have these or not; sending them again under their ids is safe.
			for _, one := range batch {
				outcomes[one.message.id] = fmt.Sprintf("unknown: %v", err)
			}
			continue
		}
		for at, receipt := range receipts {
			message := batch[at].message
			outcome := outcomeOf(receipt)
			if outcome == "" {
				sender.learn(message, receipt)
				stale = append(stale, message)
				continue
			}
			outcomes[message.id] = outcome
		}
	}
	return stale, nil
}

// seal leaves out those that cannot be sealed, with an outcome of theirs.
func (sender *Sender) seal(messages []Message, outcomes map[ID]string) ([]sealed, error) {
	existing, err := sender.lookUp(messages)
	if err != nil {
		return nil, err
	}
	var ready []sealed
	for _, message := range messages {
		devices := sender.known[message.recipient]
		if len(devices) == 0 {
			outcomes[message.id] = gone
			if existing[message.recipient] {
				outcomes[message.id] = noDevice
			}
			continue
		}
		envelope, err := seal([]byte(message.text), sender.keystore.key, devices)
		if err != nil {
			outcomes[message.id] = fmt.Sprintf("failed: %v", err)
			continue
		}
		ready = append(ready, sealed{message, Outgoing{
			Conversation: message.conversation,
			Recipient:    message.recipient,
			ID:           message.id,
			Category:     "ENCRYPTED_TEXT",
			Data:         writeBytes(envelope),
			Checksum:     sessionChecksum(sessionsOf(devices)),
		}})
	}
	return ready, nil
}

// lookUp learns the devices of those who are not known. Of those who have none, it tells who exists.
func (sender *Sender) lookUp(messages []Message) (map[ID]bool, error) {
	found, err := sender.gateway.devicesOf(sender.unknown(messages))
	if err != nil {
		return nil, err
	}
	for user, devices := range found {
		sender.known[user] = devices
	}
	return sender.gateway.existing(sender.unknown(messages))
}

func (sender *Sender) unknown(messages []Message) []ID {
	var unknown []ID
	named := make(map[ID]bool)
	for _, message := range messages {
		user := message.recipient
		if len(sender.known[user]) == 0 && !named[user] {
			unknown, named[user] = append(unknown, user), true
		}
	}
	return unknown
}

func (sender *Sender) post(batch []sealed) ([]Receipt, error) {
	var items []Outgoing
	for _, one := range batch {
		items = append(items, one.item)
	}
	receipts, err := sender.gateway.post(items)
	if err != nil {
		return nil, err
	}
	if len(receipts) != len(items) {
		return nil, fmt.Errorf("%d receipts for %d messages", len(receipts), len(items))
	}
	for at, receipt := range receipts {
		if receipt.MessageID != items[at].ID.String() {
			return nil, fmt.Errorf("a receipt is for another message than %v", items[at].ID)
		}
	}
	return receipts, nil
}

func (sender *Sender) learn(message Message, receipt Receipt) {
	var after []Device
	for _, session := range receipt.Sessions {
		after = append(after, session.device())
	}
	before := sender.known[message.recipient]
	sender.known[message.recipient] = after
	sender.onRefresh(message, before, after)
}

// outcomeOf says what a receipt means; nothing when the list was old and it has the fresh one.
func outcomeOf(receipt Receipt) string {
	switch {
	case receipt.State == "SUCCESS":
		return delivered
	case receipt.Outcome == "recipient_gone":
		return gone
	case receipt.Outcome == "deferred" && receipt.RetryAfter != nil:
		return fmt.Sprintf("deferred: try again after %d s", *receipt.RetryAfter)
	case receipt.Outcome == "deferred":
		return "deferred"
	case receipt.Outcome == "stale_sessions" && len(receipt.Sessions) == 0:
		// Everybody signed out in between; they may come back.
		return noDevice
	case receipt.Outcome == "stale_sessions":
		return ""
	case receipt.Error == nil:
		// A word of the future is never read as "gone", which makes bots stop for ever.
		return "rejected: without a reason"
	case receipt.Error.Extra.Reason == "message_id_used":
		// An earlier run sealed this message, and lost the answer.
		return delivered
	}
	return "rejected: " + receipt.Error.Description
}

// batches are lists of items that fit into one request each.
func batches(items []sealed) [][]sealed {
	var batches [][]sealed
	size := 0
	for _, one := range items {
		length := len(one.item.Data)
		last := len(batches) - 1
		if last < 0 || len(batches[last]) == batchItems || size+length > batchBytes {
			batches, size = append(batches, nil), 0
			last++
		}
		batches[last] = append(batches[last], one)
		size += length
	}
	return batches
}

func sessionsOf(devices []Device) []ID {
	var sessions []ID
	for _, device := range devices {
		sessions = append(sessions, device.session)
	}
	return sessions
}
