// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/metadata"
)

// BenchmarkViewer is what a viewer costs whose question somebody has asked before.
func BenchmarkViewer(b *testing.B) {
	telemetry, err := metadata.NewTelemetryBuilder(componenttest.NewNopTelemetrySettings())
	require.NoError(b, err)
	config := createDefaultConfig().(*Config)
	config.Window.Size = time.Hour // no next moment
	config.Window.Offset = 0
	v := newQueryHandler(config, &source{}, func() int64 { return 0 }, telemetry)
	defer v.close()
	request := httptest.NewRequest(http.MethodGet,
		"/api/v1/query_range?query=sum+by+(region)+(ws_active_connections{tenant_id%3D~\"acme_corp|globex\"})&start=1700000000&end=1700003600&step=9", nil)
	b.ReportAllocs()
	for b.Loop() {
		v.ServeHTTP(httptest.NewRecorder(), request)
	}
}
