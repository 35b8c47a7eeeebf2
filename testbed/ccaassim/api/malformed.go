// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

// SpoilFrame makes a well-formed frame of any API malformed. Where a kind has
// several faces, the event's id chooses one, so that a seed repeats them.
func SpoilFrame(good []byte, i *traffic.Item, oversized int) []byte {
	with := func(field string) []byte { return bytes.Replace(good, []byte("{"), []byte("{"+field+","), 1) }
	switch i.Malformed {
	case fault.NotJSON:
		return []byte(Choose(i, `<html><body>502 Bad Gateway</body></html>`, `hello`, `{type:message.send}`, `{"type":"message.send",}`))
	case fault.Truncated:
		return good[:len(good)*2/3]
	case fault.InvalidUTF8:
		return with("\"invalid\":\"\xff\xfe\xc3(\"")
	case fault.TooDeep:
		return with(`"extra":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000))
	case fault.BinaryFrame:
		return []byte{0x08, 0x96, 0x01, 0x12, 0x07, 0xff, 0x00, 0xfe, byte(i.Event.Id.Low), 0x1a}
	case fault.FrameTooLarge:
		return with(`"padding":"` + strings.Repeat("x", oversized) + `"`)
	default: // nulBytes
		return append([]byte{0, 0}, good...)
	}
}

// Choose picks a variant by the event's id, so that a seed repeats them.
func Choose[T any](i *traffic.Item, faces ...T) T { return faces[i.Event.Id.Low%uint64(len(faces))] }
