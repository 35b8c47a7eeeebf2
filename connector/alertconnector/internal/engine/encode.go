// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"hash/crc32"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state/envelope"
)

const stateVersion = 1

// Encode puts a value of saved state in its envelope.
func Encode(content []byte) []byte { return envelope.Encode(stateVersion, content) }

// Decode checks the envelope of a saved value and returns its content. The errors are
// those of envelope.Decode.
func Decode(value []byte) ([]byte, error) {
	_, content, err := envelope.Decode(value, stateVersion, stateVersion)
	return content, err
}

func checksum(content []byte) uint32 {
	return crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli))
}

func decodeJSON(value []byte, into any) error {
	content, err := Decode(value)
	if err != nil {
		return err
	}
	return json.Unmarshal(content, into)
}

func encodeJSON(content any) []byte {
	text, err := json.Marshal(content)
	if err != nil { // only of what JSON cannot express, as NaN, and none is let in
		panic(err)
	}
	return Encode(text)
}
