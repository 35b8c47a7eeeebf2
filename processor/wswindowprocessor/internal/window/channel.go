// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

// channel is the state of one channel: the time from its first event to its latest.
// 16 bytes and no pointer, because there may be a million of them.
//
// A closed channel is kept until nothing that reaches it can still belong to the time
// before its reopen_grace has ended, so that a message that was overtaken by the close,
// or that follows it closely, does not open it anew.
type channel struct {
	from int64 // unix ms of the first event, times two; odd: it is a ConnectionOpen
	seen int64 // unix ms of the latest event, times four; plus its kind
}

const (
	wasClose   = 1 // the channel is closed
	wasOpen    = 2 // an explicit ConnectionOpen
	wasPresent = 3 // a reconstructed ConnectionOpen: the channel was open before
)

func newChannel(t int64, kind Kind) channel {
	return channel{from: packFrom(t, kind == ConnectionOpen), seen: packSeen(t, kind)}
}

func (c channel) openedAt() int64    { return c.from >> 1 }
func (c channel) lastEventAt() int64 { return c.seen >> 2 }
func (c channel) opened() bool       { return c.from&1 == 1 }
func (c channel) closed() bool       { return c.seen&3 == wasClose }

// lastIsOpen reports whether the latest event is a ConnectionOpen: no close of before
// can close the channel.
func (c channel) lastIsOpen() bool { return c.seen&3 == wasOpen }

// lastIsPresent reports whether the latest event is that the channel was open before. Its
// time is that of our question: a close of before, which was on its way, closes it.
func (c channel) lastIsPresent() bool { return c.seen&3 == wasPresent }

func packFrom(t int64, opened bool) int64 {
	if opened {
		return t<<1 | 1
	}
	return t << 1
}

func packSeen(t int64, kind Kind) int64 {
	switch kind {
	case ConnectionClose:
		return t<<2 | wasClose
	case ConnectionOpen:
		return t<<2 | wasOpen
	case presence:
		return t<<2 | wasPresent
	default:
		return t << 2
	}
}
