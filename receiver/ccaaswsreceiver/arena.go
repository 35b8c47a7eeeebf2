// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import "strings"

const (
	smallestChunk = 4 << 10
	largestChunk  = 1 << 20
)

// arena keeps the strings of one batch together: one allocation for thousands of
// ids and bodies. They live as long as one record of the batch does.
type arena struct {
	chunk strings.Builder
	used  int // bytes of this batch
}

// begin makes room for a batch that is likely as large as the last one.
func (a *arena) begin() {
	likely := a.used + a.used/8
	a.used = 0
	a.chunk.Reset()
	a.chunk.Grow(min(max(likely, smallestChunk), largestChunk))
}

// end lets go of the chunk. The strings in it stay as they are.
func (a *arena) end() { a.chunk.Reset() }

// keep copies text and gives the copy as a string.
func (a *arena) keep(text []byte) string {
	if size := a.chunk.Cap(); size-a.chunk.Len() < len(text) {
		a.chunk.Reset()
		a.chunk.Grow(max(min(2*size, largestChunk), len(text)))
	}
	start := a.chunk.Len()
	a.chunk.Write(text)
	a.used += len(text)
	return a.chunk.String()[start:]
}
