// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

// closeReasons are the reasons of an abnormal close, in the one spelling in which
// reasons are compared.
type closeReasons map[string]bool

// longestReason is more bytes than any reason that is compared has.
const longestReason = 64

// newCloseReasons takes reasons of words with dots between them. A platform's APIs
// have the words in either order: transport.failure, failureTransport.
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

// normalReason appends a reason in lower case, without what stands between words.
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

// has is whether a reason is one of them.
func (r closeReasons) has(reason []byte) bool {
	if len(reason) > longestReason {
		return false
	}
	var buffer [longestReason]byte
	return r[string(normalReason(buffer[:0], reason))]
}

// abnormal is whether a connection was dropped: by its code, or where it has none,
// by its reason. It is not known where the platform gives neither, or a reason that
// means that it does not know.
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
