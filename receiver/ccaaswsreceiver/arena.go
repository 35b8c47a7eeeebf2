// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import "unsafe"

const (
	smallestChunk = 4 << 10
	largestChunk  = 1 << 20
)

// arena keeps the strings of one batch together: one allocation for thousands of
// ids and bodies. What has been written is never written again, so the strings
// are as immutable as any; they live as long as one record of the batch does.
type arena struct {
	chunk []byte
	used  int // bytes of this batch
}

// begin makes room for a batch that is likely as large as the last one.
func (a *arena) begin() {
	likely := a.used + a.used/8
	a.chunk = make([]byte, 0, min(max(likely, smallestChunk), largestChunk))
	a.used = 0
}

// keep copies text and gives the copy as a string.
func (a *arena) keep(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	start := len(a.chunk)
	if cap(a.chunk)-start < len(text) {
		a.chunk = make([]byte, 0, max(min(2*cap(a.chunk), largestChunk), len(text)))
		start = 0
	}
	a.chunk = append(a.chunk, text...)
	a.used += len(text)
	return unsafe.String(&a.chunk[start], len(text))
}
