// Two naive decisions behind the subject protocol, with nothing but Go's standard library. A third is one more file
// and one more line here.
// Run: go build -o /tmp/subject . && pnpm check decision pin-address -- /tmp/subject
package main

import (
	"fmt"
	"os"
)

func main() {
	decisions := map[string]bind{
		"pin-address": bindPinAddress,
		"select-husk": bindSelectHusk,
	}
	if err := serve(decisions, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
