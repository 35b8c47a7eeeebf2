// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

// closeReasons is the set of reasons of an abnormal close, normalized.
type closeReasons map[string]bool

// longestReason is longer than any reason in the set, in bytes.
const longestReason = 64

// newCloseReasons returns the set of reasons of one or two words. The APIs of a platform
// have two words in either order: transport.failure, failureTransport.
func newCloseReasons(reasons []string) closeReasons {
	all := closeReasons{}
	for _, reason := range reasons {
		first, second, _ := strings.Cut(reason, ".")
		for _, words := range []string{first + second, second + first} {
			all[string(normalReason(nil, []byte(words)))] = true
		}
	}
	return all
}

// normalReason appends a reason in lower case, without separators between words.
func normalReason(to, reason []byte) []byte {
	for _, c := range reason {
		switch {
		case c == '.' || c == '_' || c == '-' || c == ' ':
			continue
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		}
		to = append(to, c)
	}
	return to
}

// has reports whether a reason is in the set.
func (r closeReasons) has(reason []byte) bool {
	if len(reason) > longestReason {
		return false
	}
	var buffer [longestReason]byte
	return r[string(normalReason(buffer[:0], reason))]
}

// abnormal reports whether a connection was dropped: by its code, or without one by its
// reason. It is unknown without either, and for a reason that means unknown.
func (r closeReasons) abnormal(e *jsonevent.Event) (abnormal, known bool) {
	if e.HasCloseCode {
		return e.CloseCode != 1000 && e.CloseCode != 1001, true
	}
	if len(e.CloseReason) > longestReason {
		return false, true
	}
	var buffer [longestReason]byte
	switch reason := normalReason(buffer[:0], e.CloseReason); string(reason) {
	case "", "unset", "unknown":
		return false, false
	default:
		return r[string(reason)], true
	}
}
