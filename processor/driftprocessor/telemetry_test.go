// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

func points(value int64) []metricdata.DataPoint[int64] {
	return []metricdata.DataPoint[int64]{{Value: value}}
}

// mustSum is the value of a counter of own telemetry.
func mustSum(t *testing.T, b *bench, name string) int64 {
	t.Helper()
	metric, err := b.tel.GetMetric(name)
	require.NoError(t, err)
	return metric.Data.(metricdata.Sum[int64]).DataPoints[0].Value
}
