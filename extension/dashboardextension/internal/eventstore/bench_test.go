// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// realistic is an event as the receiver emits it, of about 285 bytes on the wire, of one of a million channels.
func realistic(random *rand.Rand, at time.Time, id int) *Event {
	channel := random.Uint64N(1_000_000)
	tenant := fmt.Sprint("tenant-", random.IntN(20))
	uuid := fmt.Sprintf("%08x-1234-4abc-9def-%012x", channel*2654435761%(1<<32), channel*7919)
	user := fmt.Sprint("user-", channel%5000)
	size := random.IntN(4096)
	body := fmt.Sprintf(`{\"type\":\"message.send\",\"timestamp\":%d,\"channelId\":\"%s\",\"userId\":\"%s\",\"region\":\"us-east-1\",\"tenantId\":\"%s\",\"channelType\":\"webmessaging\",\"payloadSize\":%d,\"id\":\"%016x\"}`,
		at.UnixMilli(), uuid, user, tenant, size, id)
	types := []string{"message.send", "message.receive", "connection.open", "connection.close"}
	return &Event{
		Time: at.UnixNano(), Type: types[random.IntN(len(types))], Tenant: tenant, Region: "us-east-1", ChannelType: "webmessaging", ChannelID: uuid,
		JSON: fmt.Appendf(nil, `{"timestamp":%d,"type":"message.send","tenant_id":%q,"region":"us-east-1","channel_type":"webmessaging","channel_id":%q,"user_id":%q,"event_id":"%016x","payload_size":%d,"observed_timestamp":%d,"attributes":{"ccaas.platform":"genesys_cloud"},"body":"%s"}`,
			at.UnixMilli(), tenant, uuid, user, id, size, at.UnixMilli()+40, body),
	}
}

func batches(b *testing.B, n int, step time.Duration) []*Batch {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	start := time.Now().Add(-time.Duration(n) * step)
	var all []*Batch
	one := &Batch{}
	for id := range n {
		require.NoError(b, one.Add(realistic(random, start.Add(time.Duration(id)*step), id)))
		if one.Len() == 500 || id == n-1 {
			all = append(all, one)
			one = &Batch{}
		}
	}
	return all
}

func fill(b *testing.B, s *Store, all []*Batch) {
	b.Helper()
	for _, one := range all {
		require.NoError(b, s.Append(b.Context(), one))
	}
	require.NoError(b, s.flushAll(b.Context()))
}

// BenchmarkAppend stores events up to compressed blocks; one operation is one event.
func BenchmarkAppend(b *testing.B) {
	l := &lost{}
	s, err := Open(l.options(b.TempDir()))
	require.NoError(b, err)
	defer s.Close()
	all := batches(b, b.N, 10*time.Microsecond)
	b.ReportAllocs()
	b.ResetTimer()
	fill(b, s, all)
	b.ReportMetric(float64(s.Size())/float64(b.N), "disk-B/event")
}

// BenchmarkSelect reads from half a million events of 24 hours: ten seconds of a tenant's type, and one channel.
func BenchmarkSelect(b *testing.B) {
	l := &lost{}
	s, err := Open(l.options(b.TempDir()))
	require.NoError(b, err)
	defer s.Close()
	const n = 500_000
	all := batches(b, n, 23*time.Hour/n)
	fill(b, s, all)
	middle := time.Now().Add(-12 * time.Hour)
	r, _ := decodeRow(all[len(all)/2].rows[4:])
	for name, q := range map[string]*Query{
		"10s":     {Start: middle.UnixNano(), End: middle.Add(10 * time.Second).UnixNano(), Tenant: "tenant-7", Types: []string{"connection.close"}},
		"channel": {Start: middle.Add(-12 * time.Hour).UnixNano(), End: time.Now().UnixNano(), ChannelID: string(r.channel)},
		"newest":  {Start: middle.Add(-12 * time.Hour).UnixNano(), End: time.Now().UnixNano()},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := s.Select(b.Context(), q, Cursor{}, 1000)
				require.NoError(b, err)
			}
		})
	}
}
