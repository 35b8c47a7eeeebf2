// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/history"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

func TestSnapshot_Skew(t *testing.T) {
	t.Parallel()
	series := []traffic.Series{{Region: "us-east-1"}, {Region: "eu-west-1"}}
	trouble := fault.DefaultTrouble()
	trouble.Skew, trouble.SkewRegion = -5*time.Second, "eu-west-1"
	s := newSnapshots(api.NewDirectory(1, 1, rand.New(rand.NewPCG(1, 5))), series)
	snapshot := s.snapshot(nil, "a.topic", ofMessages, &conversation{series: 1, connected: 1_715_623_400_123_456_789}, &trouble)
	assert.Contains(t, string(snapshot), `"connectedTime":"2024-05-13T18:03:15.123Z"`)
	assert.True(t, json.Valid(snapshot))
}

func BenchmarkSnapshots(b *testing.B) {
	trouble := fault.DefaultTrouble()
	d := api.NewDirectory(4, 50, rand.New(rand.NewPCG(1, 5)))
	store, written := newConversationStore(10, history.New(time.Now()).Began), newSnapshots(d, []traffic.Series{{ChannelType: "webmessaging"}})
	all := truth.NewBatch(1)
	all.InUse[0] = true
	for n := range uint64(128) {
		all.Items = append(all.Items, traffic.Item{Event: traffic.Event{Kind: traffic.MessageSend, Id: traffic.ID{Low: n}, Channel: traffic.ID{Low: n % 20}, Payload: 200}})
		all.Times = append(all.Times, time.Now().UnixNano())
	}
	var frames api.FrameBuffer
	for b.Loop() {
		frames.Reset()
		for n := range all.Items {
			c := store.enter(&all.Items[n], n, all.Times[n])
			frames.Bytes = written.snapshot(frames.Bytes, "a.topic", ofMessages, c, &trouble)
		}
		all.Expect(0, truth.Sent)
		store.settle(&all, 0)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(all.Items)), "ns/event")
}
