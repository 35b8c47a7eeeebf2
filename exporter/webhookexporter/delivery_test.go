// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Only the rest of a batch that fails in the middle is retried.
func TestDelivery_RestOfABatchIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, func(n int, _ received) reply {
			return says([]int{200, 400, 503, 200, 200}[n])
		}, nil)
		b.send(texts("delivered", "refused", "tried again", "not yet tried"))
		time.Sleep(time.Minute)
		b.stop()
		assert.Equal(t, []string{"delivered", "refused", "tried again", "tried again", "not yet tried"}, b.receiver.bodies())
	})
}

// Records of an episode are delivered in order, whatever fails.
func TestDelivery_OrderWithinAnEpisode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := map[string]int{}
		b := startExporter(t, func(_ int, r received) reply {
			if n[r.body]++; n[r.body]%3 != 0 {
				return says(503)
			}
			time.Sleep(time.Duration(len(r.body)%7) * time.Second)
			return says(200)
		}, func(c *Config) { c.Concurrency = 1 })
		want := map[string][]string{}
		for i := range 20 {
			batch := [][2]string{}
			for _, series := range []string{"a", "b", "c"} {
				id := fmt.Sprint(series, i)
				for _, status := range []string{"firing", "firing", "resolved"} {
					batch = append(batch, [2]string{id, status})
					want[id] = append(want[id], status)
				}
			}
			b.send(alerts(batch...))
		}
		time.Sleep(24 * time.Hour)
		b.stop()
		got := map[string][]string{}
		seen := map[string]int{}
		bodies := b.receiver.bodies()
		for i, one := range statesOf(t, bodies) {
			if seen[bodies[i]]++; seen[bodies[i]]%3 == 0 { // delivered
				got[one[0]] = append(got[one[0]], one[1])
			}
		}
		assert.Equal(t, want, got)
		assert.Zero(t, b.total("otelcol_webhook_superseded"))
	})
}

func TestDelivery_EpisodesAreConcurrent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, func(int, received) reply {
			time.Sleep(time.Second)
			return says(200)
		}, func(c *Config) { c.Concurrency = 5 })
		begin := time.Now()
		batch := [][2]string{}
		for i := range 20 {
			batch = append(batch, [2]string{strconv.Itoa(i), "firing"})
		}
		b.send(alerts(batch...))
		time.Sleep(time.Hour)
		b.stop()
		all := b.receiver.all()
		require.Len(t, all, 20)
		assert.Equal(t, 3*time.Second, all[19].at.Sub(begin), "five at a time")
	})
}

// A receiver that fails does not get a request for each of a thousand alerts.
func TestDelivery_FailingReceiverGetsFewRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, always(503), nil)
		batch := [][2]string{}
		for i := range 1000 {
			batch = append(batch, [2]string{strconv.Itoa(i), "firing"})
		}
		b.send(alerts(batch...))
		synctest.Wait()
		assert.LessOrEqual(t, len(b.receiver.all()), 8)
		b.stop()
	})
}

func TestWithout(t *testing.T) {
	t.Parallel()
	logs := plog.NewLogs()
	for _, resource := range []string{"x", "y"} {
		records := logs.ResourceLogs().AppendEmpty()
		records.Resource().Attributes().PutStr("name", resource)
		for range 2 {
			scope := records.ScopeLogs().AppendEmpty().LogRecords()
			for range 2 {
				scope.AppendEmpty().Body().SetInt(int64(logs.LogRecordCount()))
			}
		}
	}
	logs.MarkReadOnly()
	rest := without(logs, []bool{true, true, true, false, true, true, true, true})
	require.Equal(t, 1, rest.LogRecordCount())
	assert.Equal(t, int64(4), rest.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Int())
	name, _ := rest.ResourceLogs().At(0).Resource().Attributes().Get("name")
	assert.Equal(t, "x", name.Str())
	assert.Equal(t, 8, logs.LogRecordCount())
}
