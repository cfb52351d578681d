package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	attempts          = 6
	longestPause      = 10 * time.Second
	longestRetryAfter = 60 * time.Second
	// How long the gateway may take to answer: a long poll's minute, and some more.
	answerTimeout = 90 * time.Second
	// No answer here is nearly as long.
	answerLimit = 64 << 20
	// As many accounts as one request may name.
	perRequest = 500
)

// GatewayError is a request that the gateway refused, or that got no answer: then it may pass.
type GatewayError struct {
	text    string
	mayPass bool
}

func (err *GatewayError) Error() string {
	return err.text
}

// Gateway talks to the gateway as the bot of a keystore.
type Gateway struct {
	keystore *Keystore
	client   *http.Client
}

func newGateway(keystore *Keystore) *Gateway {
	return &Gateway{keystore, &http.Client{Timeout: answerTimeout}}
}

// Session is a device as the gateway describes it.
type Session struct {
	User      ID     `json:"user_id"`
	ID        ID     `json:"session_id"`
	PublicKey string `json:"public_key"`
}

// Outgoing is one item of POST /encrypted_messages.
type Outgoing struct {
	Conversation ID     `json:"conversation_id"`
	Recipient    ID     `json:"recipient_id"`
	ID           ID     `json:"message_id"`
	Category     string `json:"category"`
	Data         string `json:"data_base64"`
	Checksum     string `json:"checksum"`
}

// Receipt says what became of one item.
type Receipt struct {
	MessageID  string    `json:"message_id"`
	State      string    `json:"state"`
	Outcome    string    `json:"outcome"`
	Sessions   []Session `json:"sessions"`
	Error      *APIError `json:"error"`
	RetryAfter *int      `json:"retry_after"`
}

// APIError is what went wrong, in the gateway's words.
type APIError struct {
	Status      int    `json:"status"`
	Description string `json:"description"`
	Extra       struct {
		Reason string `json:"reason"`
	} `json:"extra"`
}

// InboxMessage is a message as the gateway hands it out. An id that is not set is an empty text.
type InboxMessage struct {
	ID           ID     `json:"message_id"`
	Sender       string `json:"user_id"`
	Conversation string `json:"conversation_id"`
	Category     string `json:"category"`
	Data         string `json:"data_base64"`
}

// Acknowledgement says that a message was taken care of.
type Acknowledgement struct {
	ID     ID     `json:"message_id"`
	Status string `json:"status"`
}

// devicesOf gives the devices of these accounts, by account; without those that have none.
func (gateway *Gateway) devicesOf(users []ID) (map[ID][]Device, error) {
	found := make(map[ID][]Device)
	for _, some := range chunks(users) {
		var sessions []Session
		if err := gateway.call("POST", "/sessions/fetch", some, &sessions); err != nil {
			return nil, err
		}
		for _, session := range sessions {
			found[session.User] = append(found[session.User], session.device())
		}
	}
	return found, nil
}

// existing tells which of these accounts exist.
func (gateway *Gateway) existing(users []ID) (map[ID]bool, error) {
	found := make(map[ID]bool)
	for _, some := range chunks(users) {
		var accounts []struct {
			ID ID `json:"user_id"`
		}
		if err := gateway.call("POST", "/users/fetch", some, &accounts); err != nil {
			return nil, err
		}
		for _, account := range accounts {
			found[account.ID] = true
		}
	}
	return found, nil
}

// post sends up to 100 messages and gives a receipt for each, in order.
func (gateway *Gateway) post(messages []Outgoing) ([]Receipt, error) {
	var receipts []Receipt
	err := gateway.call("POST", "/encrypted_messages", messages, &receipts)
	return receipts, err
}

// readInbox gives what waits for this session, or comes within so many seconds.
func (gateway *Gateway) readInbox(wait, limit int) ([]InboxMessage, error) {
	var messages []InboxMessage
	path := fmt.Sprintf("/inbox?wait=%d&limit=%d", wait, limit)
	err := gateway.call("GET", path, nil, &messages)
	return messages, err
}

// acknowledge says that up to 100 messages were taken care of.
func (gateway *Gateway) acknowledge(ids []ID) error {
	var done []Acknowledgement
	for _, id := range ids {
		done = append(done, Acknowledgement{id, "DELIVERED"})
	}
	return gateway.call("POST", "/acknowledgements", done, nil)
}

// call reads data of the answer into result; it tries again where it failed in a way that may pass.
//
// Every request here may be repeated: what was sent before is a duplicate to the gateway, as long
// as it is the same to the last byte, which it is.
func (gateway *Gateway) call(method, path string, body, result any) error {
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return err
		}
	}
	for attempt := 1; ; attempt++ {
		asked, err := gateway.try(method, path, content, result)
		var failure *GatewayError
		if err == nil || !errors.As(err, &failure) || !failure.mayPass {
			return err
		}
		if attempt == attempts || asked > longestRetryAfter {
			return err
		}
		time.Sleep(asked + backoff(attempt))
	}
}

// try asks once. After a failure it gives how long the gateway asks to wait.
func (gateway *Gateway) try(method, path string, body []byte, result any) (time.Duration, error) {
	request, err := gateway.request(method, path, body)
	if err != nil {
		return 0, err
	}
	response, err := gateway.client.Do(request)
	if err != nil {
		return 0, &GatewayError{fmt.Sprintf("no answer: %v", err), true}
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return 0, &GatewayError{fmt.Sprintf("the answer breaks off: %v", err), true}
	}
	var answer struct {
		Data  json.RawMessage `json:"data"`
		Error *APIError       `json:"error"`
	}
	err = json.Unmarshal(content, &answer)
	switch {
	case err == nil && answer.Error != nil:
		// To a signed token nearly every error is HTTP 202; the true status is inside.
		status, text := answer.Error.Status, answer.Error.Description
		return retryAfter(response), &GatewayError{fmt.Sprintf("%d %s", status, text), mayPass(status)}
	case response.StatusCode != http.StatusOK:
		// No gateway has answered, but a proxy in front of it.
		return retryAfter(response), &GatewayError{response.Status, mayPass(response.StatusCode)}
	case err == nil && result != nil:
		err = json.Unmarshal(answer.Data, result)
	}
	return 0, err
}

func (gateway *Gateway) request(method, path string, body []byte) (*http.Request, error) {
	address, err := url.Parse(strings.TrimSuffix(gateway.keystore.url, "/") + path)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(method, address.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	token, err := gateway.keystore.token(method, address.RequestURI(), body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	return request, nil
}

// device is what to seal to. A key that is none stays away, and nothing is sealed for it.
func (session Session) device() Device {
	key, err := readKey(session.PublicKey)
	if err != nil {
		key = nil
	}
	return Device{session.ID, key}
}

func mayPass(status int) bool {
	switch status {
	case 429, 500, 502, 503, 504:
		return true
	}
	return false
}

func retryAfter(response *http.Response) time.Duration {
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// backoff is a growing pause, drawn evenly: those who failed together do not come back together.
func backoff(failures int) time.Duration {
	longest := 200 * time.Millisecond << failures
	if longest > longestPause {
		longest = longestPause
	}
	return time.Duration(rand.Int63n(int64(longest)))
}

func chunks(users []ID) [][]ID {
	var chunks [][]ID
	for len(users) > perRequest {
		chunks, users = append(chunks, users[:perRequest]), users[perRequest:]
	}
	if len(users) > 0 {
		chunks = append(chunks, users)
	}
	return chunks
}
