// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
)

// deepest bounds how deep a body may be nested.
const deepest = 100

var errTooDeep = errors.New("body: nested more than 100 deep")

// contentOf is a body as it is sent: text as it is, all else as JSON.
func contentOf(body pcommon.Value) (payload.Payload, error) {
	switch body.Type() {
	case pcommon.ValueTypeStr:
		text := []byte(body.Str())
		return payload.Payload{Body: text, ContentType: contentType(text)}, nil
	case pcommon.ValueTypeBytes:
		raw := body.Bytes().AsRaw()
		return payload.Payload{Body: raw, ContentType: contentType(raw)}, nil
	default:
		text, err := appendJSON(nil, body, 0)
		return payload.Payload{Body: text, ContentType: payload.JSON}, err
	}
}

func contentType(text []byte) string {
	switch {
	case json.Valid(text):
		return payload.JSON
	case utf8.Valid(text):
		return "text/plain; charset=utf-8"
	default:
		return "application/octet-stream"
	}
}

// appendJSON writes a value as JSON, with the keys of a map in the order in which
// they were put there, so that a payload reads as its maker meant it.
func appendJSON(to []byte, value pcommon.Value, depth int) (_ []byte, err error) {
	if depth > deepest {
		return nil, errTooDeep
	}
	switch value.Type() {
	case pcommon.ValueTypeStr:
		return appendText(to, value.Str()), nil
	case pcommon.ValueTypeInt:
		return strconv.AppendInt(to, value.Int(), 10), nil
	case pcommon.ValueTypeDouble:
		return appendDouble(to, value.Double()), nil
	case pcommon.ValueTypeBool:
		return strconv.AppendBool(to, value.Bool()), nil
	case pcommon.ValueTypeBytes:
		to = append(to, '"')
		return append(base64.StdEncoding.AppendEncode(to, value.Bytes().AsRaw()), '"'), nil
	case pcommon.ValueTypeSlice:
		to = append(to, '[')
		for i, element := range value.Slice().All() {
			if i > 0 {
				to = append(to, ',')
			}
			if to, err = appendJSON(to, element, depth+1); err != nil {
				return nil, err
			}
		}
		return append(to, ']'), nil
	case pcommon.ValueTypeMap:
		return appendMap(to, value.Map(), depth)
	default:
		return append(to, "null"...), nil
	}
}

func appendMap(to []byte, of pcommon.Map, depth int) (_ []byte, err error) {
	to = append(to, '{')
	first := true
	for key, element := range of.All() {
		if !first {
			to = append(to, ',')
		}
		first = false
		to = append(appendText(to, key), ':')
		if to, err = appendJSON(to, element, depth+1); err != nil {
			return nil, err
		}
	}
	return append(to, '}'), nil
}

// appendText leaves the quoting to the standard library, without its caution
// about HTML.
func appendText(to []byte, text string) []byte {
	buffer := appender{to: to}
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always has JSON
	return buffer.to[:len(buffer.to)-1]
}

type appender struct{ to []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.to = append(a.to, p...)
	return len(p), nil
}

// appendDouble writes a number; JSON has no word for those that are none.
func appendDouble(to []byte, number float64) []byte {
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return append(to, "null"...)
	}
	text, _ := json.Marshal(number) // any other number has JSON
	return append(to, text...)
}
