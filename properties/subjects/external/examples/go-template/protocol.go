// The subject protocol (docs/subject-protocol.md), the answering side: a header line, then a case a line, one
// answer each. The same file stands in examples/go and examples/go-template; a test holds them equal.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const protocolVersion = 1

// decide makes one decision. An error is answered as such and ends nothing.
type decide func(input json.RawMessage) (output any, err error)

// bind reads the configuration of the first line, once.
type bind func(config json.RawMessage) (decide, error)

type header struct {
	Version  int             `json:"v"`
	Decision string          `json:"decision"`
	Config   json.RawMessage `json:"config"`
}

type protocolCase struct {
	ID    json.RawMessage `json:"id"`
	Input json.RawMessage `json:"input"`
}

type answer struct {
	ID     json.RawMessage `json:"id"`
	Output any             `json:"output,omitempty"`
	Error  *answerError    `json:"error,omitempty"`
}

type answerError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// serve answers the decisions that are named. What has come in is answered before more is waited for, so that
// step decisions get their state back.
func serve(decisions map[string]bind, stdin io.Reader, stdout io.Writer) error {
	in := bufio.NewReaderSize(stdin, 1<<16)
	out := bufio.NewWriterSize(stdout, 1<<16)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	bound, err := readHeader(in, decisions)
	if err != nil {
		return err
	}
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 1 {
			if err := answerOne(encoder, bound, line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return out.Flush()
		}
		if err != nil {
			return err
		}
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

func readHeader(in *bufio.Reader, decisions map[string]bind) (decide, error) {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	var head header
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	binding, known := decisions[head.Decision]
	if head.Version != protocolVersion || !known {
		return nil, fmt.Errorf("this adapter has no %q, version %d", head.Decision, head.Version)
	}
	return binding(head.Config)
}

func answerOne(encoder *json.Encoder, bound decide, line []byte) error {
	var asked protocolCase
	if err := json.Unmarshal(line, &asked); err != nil {
		return fmt.Errorf("case: %w", err)
	}
	output, err := bound(asked.Input)
	if err != nil {
		return encoder.Encode(answer{ID: asked.ID, Error: &answerError{Code: "bad-case", Message: err.Error()}})
	}
	return encoder.Encode(answer{ID: asked.ID, Output: output})
}
