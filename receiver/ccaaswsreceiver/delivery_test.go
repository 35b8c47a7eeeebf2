// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadatatest"
)

// answers is a consumer that gives one answer after another.
type answers struct {
	all   []error
	sizes []int // of what was offered
	at    []time.Time
}

func (*answers) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (a *answers) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	err := a.all[min(len(a.sizes), len(a.all)-1)]
	a.sizes = append(a.sizes, logs.LogRecordCount())
	a.at = append(a.at, time.Now())
	return err
}

// deliver offers a batch of three records, for at most a minute of fake time.
func deliver(t *testing.T, downstream *answers) *bench {
	t.Helper()
	b := newBench(t, configFor("ws://127.0.0.1:1"))
	synctest.Test(t, func(t *testing.T) {
		delivery := b.delivery(0)
		delivery.next = downstream
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		delivery.deliver(ctx, &batch{logs: threeRecords(), size: 3})
	})
	return b
}

func threeRecords() plog.Logs {
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for range 3 {
		records.AppendEmpty()
	}
	return logs
}

func assertDropped(t *testing.T, b *bench, reason string, records int64) {
	t.Helper()
	metadatatest.AssertEqualCcaasWsDroppedRecords(t, b.telemetry, []metricdata.DataPoint[int64]{
		{Value: records, Attributes: attribute.NewSet(attribute.String("reason", reason))},
	}, metricdatatest.IgnoreTimestamp())
}

func TestDelivery_RefusedBatchIsRetried(t *testing.T) {
	t.Parallel()
	downstream := &answers{all: []error{errRefused, errRefused, errRefused, nil}}
	b := deliver(t, downstream)
	assert.Equal(t, []int{3, 3, 3, 3}, downstream.sizes)
	assert.Greater(t, downstream.at[3].Sub(downstream.at[2]), time.Duration(0))
	assert.Equal(t, 1, b.logs.FilterMessageSnippet("Downstream refuses events").Len(), "logged once")
	assert.Equal(t, 1, b.logs.FilterMessageSnippet("takes events again").Len())
}

func TestDelivery_PartialRefusalRetriesRest(t *testing.T) {
	t.Parallel()
	rest := plog.NewLogs()
	rest.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	downstream := &answers{all: []error{consumererror.NewLogs(errRefused, rest), nil}}
	deliver(t, downstream)
	assert.Equal(t, []int{3, 1}, downstream.sizes)
}

func TestDelivery_PermanentRefusalIsDropped(t *testing.T) {
	t.Parallel()
	downstream := &answers{all: []error{consumererror.NewPermanent(errors.New("too old"))}}
	b := deliver(t, downstream)
	assert.Len(t, downstream.sizes, 1)
	assertDropped(t, b, "permanent", 3)
	require.Equal(t, 1, b.logs.FilterMessageSnippet("are lost").Len())
}

func TestDelivery_ShutdownDropsRefusedBatch(t *testing.T) {
	t.Parallel()
	downstream := &answers{all: []error{errRefused}}
	b := deliver(t, downstream)
	assert.GreaterOrEqual(t, len(downstream.sizes), 12, "it was patient")
	assertDropped(t, b, "shutdown", 3)
}
