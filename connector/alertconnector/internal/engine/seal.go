// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
)

// A piece of saved state is sealed: one byte of version, the checksum of all behind
// it, and its content.
const (
	stateVersion = 1
	sealSize     = 1 + crc32.Size
)

// Seal closes a piece of state.
func Seal(content []byte) []byte {
	piece := make([]byte, sealSize, sealSize+len(content))
	piece[0] = stateVersion
	piece = append(piece, content...)
	binary.LittleEndian.PutUint32(piece[1:], checksum(content))
	return piece
}

// Unseal checks a sealed piece and gives its content.
func Unseal(piece []byte) ([]byte, error) {
	switch {
	case len(piece) < sealSize:
		return nil, fmt.Errorf("is cut off: %d bytes", len(piece))
	case piece[0] != stateVersion:
		return nil, fmt.Errorf("has version %d, this collector reads %d", piece[0], stateVersion)
	case binary.LittleEndian.Uint32(piece[1:]) != checksum(piece[sealSize:]):
		return nil, errors.New("is damaged: the checksum is wrong")
	}
	return piece[sealSize:], nil
}

func checksum(content []byte) uint32 {
	return crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli))
}

func unsealJSON(piece []byte, into any) error {
	content, err := Unseal(piece)
	if err != nil {
		return err
	}
	return json.Unmarshal(content, into)
}

func sealJSON(content any) []byte {
	text, err := json.Marshal(content)
	if err != nil { // only of what JSON cannot say, as NaN, and none is let in
		panic(err)
	}
	return Seal(text)
}
