// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package privacy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// Hasher gives pseudonyms: the first half of an HMAC-SHA256, in hexadecimal. The same
// key gives the same ones everywhere.
type Hasher struct {
	mac hash.Hash
	sum []byte
	out []byte
}

// NewHasher makes a hasher with a key.
func NewHasher(key string) *Hasher {
	return &Hasher{mac: hmac.New(sha256.New, []byte(key))}
}

// Hash gives the pseudonym of an id, which is good until the next call.
func (h *Hasher) Hash(id []byte) []byte {
	h.mac.Reset()
	h.mac.Write(id)
	h.sum = h.mac.Sum(h.sum[:0])
	h.out = hex.AppendEncode(h.out[:0], h.sum[:sha256.Size/2])
	return h.out
}
