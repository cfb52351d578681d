package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
)

// echoBot answers each text with the same text.
func echoBot(arguments []string) error {
	keystore, err := readKeystore(arguments[0])
	if err != nil {
		return err
	}
	gateway := newGateway(keystore)
	sender := newSender(keystore, gateway)
	answer := func(incoming Incoming) error {
		// With the id of its cause, an answer to a message that comes again is not sent twice.
		id := becauseOf(incoming.id, "echo")
		reply := Message{incoming.sender, incoming.text, id, incoming.conversation}
		outcomes, err := sender.send([]Message{reply})
		if err != nil {
			return err
		}
		outcome := outcomes[id]
		fmt.Println(incoming.sender, outcome)
		for _, later := range []string{"deferred", "unknown", stillStale} {
			if strings.HasPrefix(outcome, later) {
				return errors.New(outcome)
			}
		}
		return nil
	}
	return newInbox(keystore, gateway).listen(answer, func() { fmt.Println("ready") })
}

// broadcast sends one text to every account in a file, one id a line, and says what became of each.
func broadcast(arguments []string) error {
	keystore, err := readKeystore(arguments[0])
	if err != nil {
		return err
	}
	people, err := os.ReadFile(arguments[1])
	if err != nil {
		return err
	}
	sender := newSender(keystore, newGateway(keystore))
	sender.onRefresh = func(message Message, before, after []Device) {
		fmt.Fprintf(os.Stderr, "%v stale: %d -> %d\n", message.recipient, len(before), len(after))
	}
	var messages []Message
	for _, line := range strings.Fields(string(people)) {
		user, err := readID(line)
		if err != nil {
			return err
		}
		messages = append(messages, sender.message(user, arguments[2]))
	}
	outcomes, err := sender.send(messages)
	if err != nil {
		return err
	}
	for _, message := range messages {
		fmt.Println(message.recipient, outcomes[message.id])
	}
	return nil
}

// sessionRefresh shows what happens when somebody's devices change between two texts.
func sessionRefresh(arguments []string) error {
	keystore, err := readKeystore(arguments[0])
	if err != nil {
		return err
	}
	user, err := readID(arguments[1])
	if err != nil {
		return err
	}
	sender := newSender(keystore, newGateway(keystore))
	sender.onRefresh = func(_ Message, before, after []Device) {
		fmt.Printf("stale: %s -> %s\n", countOf(before), countOf(after))
	}
	send := func(text string) error {
		message := sender.message(user, text)
		outcomes, err := sender.send([]Message{message})
		if err == nil {
			fmt.Println(outcomes[message.id])
		}
		return err
	}
	if err := send("Before anything has changed"); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "Sign a device in now, then press Enter.")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	return send("After a device has come")
}

func countOf(devices []Device) string {
	if len(devices) == 1 {
		return "1 session"
	}
	return fmt.Sprintf("%d sessions", len(devices))
}
