// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// tally is a sink that does nearly nothing.
type tally struct {
	events, violations int
	bytes              int64
}

func (t *tally) Event(e *Event) {
	t.events++
	t.bytes += e.PayloadSize
}

func (*tally) Ignored() {}

func (t *tally) Violation(*Violation) { t.violations++ }

// message is event number i, as the default profile writes it, of about 258 bytes.
// Every tenth event opens a channel and every tenth closes one, with other keys.
func message(i int, timestamp string) string {
	head, tail := "message.send", fmt.Sprintf(`"payloadSize":%d,`, 100+i*37%900)
	switch i % 10 {
	case 0:
		head, tail = "connection.open", ""
	case 9:
		head, tail = "connection.close", `"code":1006,"reason":"transport.failure",`
	}
	return fmt.Sprintf(`{"type":%q,"timestamp":%s,"channelId":"8c7a3f1e-52d4-4b6e-9d0a-%012x","userId":"%012x",`+
		`"region":"us-east-1","tenantId":"acme_corp","channelType":"webmessaging",%s"id":"5f0e9c2b-7a41-4d3f-8e6c-%012x"}`,
		head, timestamp, i*7919, i*104729, tail, i)
}

func messages(n int, timestamp string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = message(i, timestamp)
	}
	return all
}

// shuffled is the same events, each with its keys in an order of its own.
func shuffled(events []string) []string {
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]string, len(events))
	for i, event := range events {
		members := strings.Split(strings.Trim(event, "{}"), ",")
		random.Shuffle(len(members), func(a, b int) { members[a], members[b] = members[b], members[a] })
		all[i] = "{" + strings.Join(members, ",") + "}"
	}
	return all
}

// enveloped is the same events, each in an envelope with unread keys.
func enveloped(events []string) []string {
	all := make([]string, len(events))
	for i, event := range events {
		all[i] = `{"version":"2.0","topic":"v2.events","meta":{"retries":0,"trace":[1,2,3],"ok":true},"data":{"event":` + event + `}}`
	}
	return all
}

func envelopeFields() Fields {
	const event = "data.event."
	return Fields{
		Type: event + "type", Timestamp: event + "timestamp", ChannelID: event + "channelId", UserID: event + "userId",
		TenantID: event + "tenantId", Region: event + "region", ChannelType: event + "channelType",
		PayloadSize: event + "payloadSize", ID: event + "id", CloseCode: event + "code", CloseReason: event + "reason",
	}
}

func indented(events []string) []string {
	all := make([]string, len(events))
	for i, event := range events {
		spaced, _ := json.MarshalIndent(json.RawMessage(event), "", "  ")
		all[i] = string(spaced)
	}
	return all
}

func BenchmarkDecode(b *testing.B) {
	const millis, rfc3339 = `1715623400123`, `"2024-05-13T18:03:20.123Z"`
	array := func(events []string) string { return "[" + strings.Join(events, ",") + "]" }
	lines := func(events []string) string { return strings.Join(events, "\n") }
	plain := messages(100, millis)
	escaped := strings.NewReplacer("acme_corp", `acm\u00e9_corp`, "webmessaging", `web\/messaging`).Replace(array(plain))

	for _, bench := range []struct {
		name   string
		frame  string
		fields Fields
	}{
		{"object", message(1, millis), DefaultFields()},
		{"array=100", array(plain), DefaultFields()},
		{"lines=100", lines(plain), DefaultFields()},
		{"rfc3339", array(messages(100, rfc3339)), DefaultFields()},
		{"remapped", array(enveloped(plain)), envelopeFields()},
		{"shuffled", array(shuffled(plain)), DefaultFields()},
		{"escaped", escaped, DefaultFields()},
		{"non-ascii", strings.ReplaceAll(array(plain), "acme_corp", "acmé_corp"), DefaultFields()},
		{"indented", lines(indented(plain)), DefaultFields()},
		{"violations", strings.ReplaceAll(array(plain), `"type"`, `"kind"`), DefaultFields()},
	} {
		b.Run(bench.name, func(b *testing.B) {
			d, err := NewDecoder(bench.fields)
			if err != nil {
				b.Fatal(err)
			}
			frame, sink := []byte(bench.frame), &tally{}
			b.ReportAllocs()
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				d.Decode(frame, sink)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(sink.events+sink.violations), "ns/event")
		})
	}
}

// BenchmarkAgainstJSONText compares the decoder with the loop over jsontext's tokens that reads the same eleven members of the same events, without
// checking them. docs/adr/0020 has the ratio.
func BenchmarkAgainstJSONText(b *testing.B) {
	frame := []byte("[" + strings.Join(messages(100, "1715623400123"), ",") + "]")
	per := func(b *testing.B) { b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event") }
	b.Run("decoder", func(b *testing.B) {
		d, err := NewDecoder(DefaultFields())
		if err != nil {
			b.Fatal(err)
		}
		sink := &tally{}
		b.ReportAllocs()
		for b.Loop() {
			d.Decode(frame, sink)
		}
		per(b)
	})
	b.Run("jsontext", func(b *testing.B) {
		reader, sink := bytes.NewReader(nil), &tally{}
		decoder := jsontext.NewDecoder(reader)
		b.ReportAllocs()
		for b.Loop() {
			reader.Reset(frame)
			decoder.Reset(reader)
			if err := tokens(decoder, sink); err != nil {
				b.Fatal(err)
			}
		}
		per(b)
	})
}

// tokens reads an array of events.
func tokens(d *jsontext.Decoder, sink *tally) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() == '{' {
		var e Event
		_, _ = d.ReadToken()
		for d.PeekKind() == '"' {
			key, err := d.ReadValue()
			if err != nil {
				return err
			}
			to := (*[]byte)(nil)
			var unread []byte
			switch string(key) {
			case `"channelId"`:
				to = &e.ChannelID
			case `"userId"`:
				to = &e.UserID
			case `"id"`:
				to = &e.ID
			case `"tenantId"`:
				to = &e.TenantID
			case `"region"`:
				to = &e.Region
			case `"channelType"`:
				to = &e.ChannelType
			case `"reason"`:
				to = &e.CloseReason
			case `"payloadSize"`, `"timestamp"`, `"code"`:
				number, err := d.ReadToken()
				if err != nil {
					return err
				}
				e.PayloadSize = number.Int()
				continue
			default:
				to = &unread
			}
			value, err := d.ReadValue()
			if err != nil {
				return err
			}
			*to = value
		}
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		sink.Event(&e)
	}
	return nil
}
