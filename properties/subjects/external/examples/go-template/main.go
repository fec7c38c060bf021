// A template: your own program's decision behind the subject protocol. Until it is wired every case is answered with
// an error that says so, so nothing passes by accident.
//
//  1. Copy this folder into the module of the original program, for example to cmd/huskproof-subject, and delete its
//     go.mod: Go lets a module's own packages import its internal ones, and no others.
//  2. Uncomment the import below, and put the package there that holds the original function.
//  3. Call that function in pinAddress, in the place that is marked.
//  4. go vet . && go build -o /tmp/subject . && pnpm check decision pin-address -- /tmp/subject
//
// Another decision: its name and schemas are in docs/decisions.md; add a bind function and a line in main.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	// original "example.com/the/original/program/internal/dnsproxy" // <- the package of the original function
)

var errNotWired = errors.New("the template is not wired to a program yet: see main.go")

// policy is what the first line carries (docs/schemas/pin-address.schema.json).
type policy struct {
	DenyCIDRs       []string `json:"denyCIDRs"`
	NAT64Prefixes   []string `json:"nat64Prefixes"`
	PinPrivateCIDRs []string `json:"pinPrivateCIDRs"`
}

type pinInput struct {
	Address string `json:"address"`
}

type pinOutput struct {
	// "pin" or "refuse".
	Verdict string `json:"verdict"`
	// With "pin": what is pinned, RFC 5952 text; an IPv4-mapped address is its IPv4.
	PinnedAs string `json:"pinnedAs,omitempty"`
	// For people: which rule decided.
	Rule string `json:"rule"`
}

// pinAddress is the one place where the original program's function is called.
func pinAddress(_ policy, _ pinInput) (pinOutput, error) {
	// address, err := netip.ParseAddr(input.Address)
	// if err != nil {
	// 	return pinOutput{Verdict: "refuse", Rule: "no address"}, nil
	// }
	// if original.IsBlocked(address) { // <- the original function, whatever its name
	// 	return pinOutput{Verdict: "refuse", Rule: "blocked"}, nil
	// }
	// return pinOutput{Verdict: "pin", PinnedAs: address.Unmap().String(), Rule: "passed"}, nil
	return pinOutput{}, errNotWired
}

func bindPinAddress(config json.RawMessage) (decide, error) {
	var own policy
	if err := json.Unmarshal(config, &own); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return func(raw json.RawMessage) (any, error) {
		var input pinInput
		if err := json.Unmarshal(raw, &input); err != nil {
			return nil, err
		}
		return pinAddress(own, input)
	}, nil
}

func main() {
	if err := serve(map[string]bind{"pin-address": bindPinAddress}, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
