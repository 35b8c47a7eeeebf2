// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package realtime

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

func TestSkewShiftsTheRegionsClock(t *testing.T) {
	t.Parallel()
	encode := NewEncoder([]traffic.Series{{Region: "us-east-1"}, {Region: "eu-west-1"}}, config.TimestampMilliseconds)
	trouble := fault.DefaultTrouble()
	trouble.Skew, trouble.SkewRegion = -500*time.Millisecond, "eu-west-1"
	for series, want := range []string{"1715623400123", "1715623399623"} {
		text := string(encode.Item(nil, &traffic.Item{Event: traffic.Event{Series: int32(series)}}, 1_715_623_400_123_456_789, &trouble))
		assert.Contains(t, text, `"timestamp":`+want+`,`)
	}
}

func TestEncodedEvents(t *testing.T) {
	t.Parallel()
	encode := NewEncoder([]traffic.Series{{TenantID: `acme "corp"`, Region: "us-east-1", ChannelType: "voice"}}, config.TimestampRFC3339)
	drop := &traffic.Event{
		Id:      traffic.ID{High: 0x0123456789abcdef, Low: 0xfedcba9876543210},
		Channel: traffic.ID{Low: 1},
		User:    0xbeef_0000_0000_12ab,
		Kind:    traffic.ConnectionClose,
		Ending:  &traffic.AbnormalEndings[0],
	}
	assert.JSONEq(t, `{"type":"connection.close","timestamp":"2024-05-13T18:03:20.123Z",
		"channelId":"00000000-0000-4000-8000-000000000001","userId":"000012ab0000","region":"us-east-1",
		"tenantId":"acme \"corp\"","channelType":"voice","code":1006,"reason":"transport.failure",
		"id":"01234567-89ab-4def-bedc-ba9876543210"}`, string(encode.event(nil, drop, 1_715_623_400_123_456_789)))

	for form, want := range map[config.TimestampForm]string{
		config.TimestampSeconds:      "1715623400",
		config.TimestampMilliseconds: "1715623400123",
		config.TimestampMicroseconds: "1715623400123456",
		config.TimestampNanoseconds:  "1715623400123456789",
	} {
		encode.timestamp = form
		assert.Equal(t, want, string(encode.stamp(nil, 1_715_623_400_123_456_789)), form)
	}
}

func TestMalformedKindsAreMalformedInTheirWay(t *testing.T) {
	t.Parallel()
	encode := NewEncoder([]traffic.Series{{TenantID: "a", Region: "b", ChannelType: "c"}}, config.TimestampMilliseconds)
	trouble := fault.DefaultTrouble()
	trouble.OversizedBytes = 5000
	for kind := fault.NotJSON; kind < fault.Malformations; kind++ {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			for face := range uint64(8) {
				i := &traffic.Item{Event: traffic.Event{Id: traffic.ID{Low: face}, Kind: traffic.MessageSend, Payload: 1}, Malformed: kind}
				text := encode.Item(nil, i, 1_715_623_400_123_456_789, &trouble)
				var fields map[string]any
				err := json.Unmarshal(text, &fields)
				switch kind {
				case fault.NotJSON, fault.Truncated, fault.BinaryFrame, fault.NulBytes:
					require.Error(t, err)
				case fault.InvalidUTF8:
					assert.False(t, utf8.Valid(text))
				case fault.TooDeep:
					assert.Contains(t, string(text), strings.Repeat("[", 10_000))
				case fault.FrameTooLarge:
					assert.Greater(t, len(text), 5000)
				case fault.DuplicateKey:
					assert.Equal(t, 2, strings.Count(string(text), `"type":`))
				case fault.WrongType:
					_, typed := fields["type"].(string)
					_, channel := fields["channelId"].(string)
					assert.NotEqual(t, typed, channel, "one of the two has another type")
				case fault.MissingType:
					assert.NotContains(t, fields, "type")
				case fault.UnknownType:
					assert.Equal(t, "connection.teleport", fields["type"])
				case fault.MissingChannelID:
					assert.Empty(t, fields["channelId"])
				case fault.MissingTimestamp:
					assert.NotContains(t, fields, "timestamp")
				case fault.BadTimestamp:
					_, number := fields["timestamp"].(float64)
					assert.True(t, !number || fields["timestamp"].(float64) < 0)
				}
				if !kind.Alone() {
					require.NoError(t, err, "it stands among well-formed neighbours")
				}
			}
		})
	}
}
