// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

// channel is what is remembered of one connection: the stay from its first sign
// to its latest. 16 bytes and no pointer, because there may be a million of them.
//
// A closed channel is kept until the last window it belongs to is emitted, so
// that a message that was overtaken by the close does not open it anew.
type channel struct {
	from int64 // unix ms of the first sign, times two; odd: a ConnectionOpen stands there
	seen int64 // unix ms of the latest sign, times two; odd: it is the close
}

func newChannel(t int64, opened, closed bool) channel {
	return channel{from: pack(t, opened), seen: pack(t, closed)}
}

func (c channel) firstSeen() int64 { return c.from >> 1 }
func (c channel) lastSeen() int64  { return c.seen >> 1 }
func (c channel) opened() bool     { return c.from&1 == 1 }
func (c channel) closed() bool     { return c.seen&1 == 1 }

func pack(t int64, flag bool) int64 {
	if flag {
		return t<<1 | 1
	}
	return t << 1
}
