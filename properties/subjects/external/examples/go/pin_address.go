package main

import (
	"encoding/json"
	"net/netip"
)

type addressOutput struct {
	Verdict  string `json:"verdict"`
	PinnedAs string `json:"pinnedAs,omitempty"`
	Rule     string `json:"rule"`
}

// bindPinAddress ignores the policy (denyCIDRs, nat64Prefixes, pinPrivateCIDRs): a naive filter has none.
func bindPinAddress(json.RawMessage) (decide, error) {
	return func(input json.RawMessage) (any, error) {
		var asked struct {
			Address string `json:"address"`
		}
		if err := json.Unmarshal(input, &asked); err != nil {
			return nil, err
		}
		return pinAddress(asked.Address), nil
	}, nil
}

func pinAddress(text string) addressOutput {
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" {
		return addressOutput{Verdict: "refuse", Rule: "no address"}
	}
	address = address.Unmap()
	if !address.IsGlobalUnicast() || address.IsPrivate() {
		return addressOutput{Verdict: "refuse", Rule: "not global unicast, or private"}
	}
	return addressOutput{Verdict: "pin", PinnedAs: address.String(), Rule: "global unicast"}
}
