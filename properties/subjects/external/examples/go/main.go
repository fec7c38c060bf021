// A naive pin filter behind the subject protocol, with nothing but Go's standard library. Put your own program's function into decide:
// that is the one line where the original would be called.
// Run: go build -o /tmp/pin-address . && pnpm check decision pin-address -- /tmp/pin-address
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
)

type header struct {
	Version  int             `json:"v"`
	Decision string          `json:"decision"`
	Config   json.RawMessage `json:"config"`
}

type protocolCase struct {
	ID    json.RawMessage `json:"id"`
	Input struct {
		Address string `json:"address"`
	} `json:"input"`
}

type output struct {
	Verdict  string `json:"verdict"`
	PinnedAs string `json:"pinnedAs,omitempty"`
	Rule     string `json:"rule"`
}

type answer struct {
	ID     json.RawMessage `json:"id"`
	Output output          `json:"output"`
}

// decide is where the original program's own filter would be called.
func decide(text string) output {
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" {
		return output{Verdict: "refuse", Rule: "no address"}
	}
	address = address.Unmap()
	if !address.IsGlobalUnicast() || address.IsPrivate() {
		return output{Verdict: "refuse", Rule: "not global unicast, or private"}
	}
	return output{Verdict: "pin", PinnedAs: address.String(), Rule: "global unicast"}
}

func run() error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 1<<16), 4<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	var head header
	if !lines.Scan() {
		return fmt.Errorf("no header")
	}
	if err := json.Unmarshal(lines.Bytes(), &head); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if head.Version != 1 || head.Decision != "pin-address" {
		return fmt.Errorf("this adapter answers pin-address, version 1")
	}
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		var asked protocolCase
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return fmt.Errorf("case: %w", err)
		}
		if err := encoder.Encode(answer{ID: asked.ID, Output: decide(asked.Input.Address)}); err != nil {
			return err
		}
	}
	return lines.Err()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
