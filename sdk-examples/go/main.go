// A bot's side of Sealpost with nothing but the standard library: keys, envelopes, and sending until
// it has arrived.
package main

import (
	"fmt"
	"os"
)

const usage = `usage: sealpost-example COMMAND ARGUMENTS

  vectors DIR
  echo_bot KEYSTORE
  broadcast KEYSTORE PEOPLE TEXT
  session_refresh KEYSTORE USER
`

// The commands that each language's example has, by name.
var commands = map[string]struct {
	arguments int
	run       func(arguments []string) error
}{
	"vectors":         {1, checkVectors},
	"echo_bot":        {1, echoBot},
	"broadcast":       {3, broadcast},
	"session_refresh": {2, sessionRefresh},
}

func main() {
	if len(os.Args) < 2 {
		giveUp(2, usage)
	}
	command, known := commands[os.Args[1]]
	if !known || len(os.Args) != 2+command.arguments {
		giveUp(2, usage)
	}
	if err := command.run(os.Args[2:]); err != nil {
		giveUp(1, fmt.Sprintf("error: %v\n", err))
	}
}

func giveUp(status int, text string) {
	fmt.Fprint(os.Stderr, text)
	os.Exit(status)
}
