// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/otlpscan"
)

// within puts bytes into a field of a message.
func within(number protowire.Number, inner []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), inner)
}

// Small requests that would take a gigabyte, or the stack of the process, when they are decoded.
func TestHostileShapes(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	empty := bytes.Repeat(within(1, nil), requestLimits.Messages+1)
	scopes := within(1, bytes.Repeat(within(2, nil), requestLimits.Messages+1))
	nested := within(1, nil)
	for range 5000 {
		nested = within(5, within(1, nested))
	}
	deep := within(1, within(1, within(1, within(2, nested))))
	for name, c := range map[string]struct {
		kind    string
		body    []byte
		remote  bool
		message string
	}{
		"resources":     {protobufType, empty, false, "more than 1000000 messages"},
		"scopes":        {protobufType, scopes, false, "more than 1000000 messages"},
		"nested values": {protobufType, deep, false, "messages are nested deeper than 64"},
		"series":        {protobufType, empty, true, "more than 1000000 messages"},
		"JSON":          {jsonType, []byte(`{"resourceMetrics":[` + strings.Repeat("{},", requestLimits.Messages) + "{}]}"), false, "more than 1000000 messages"},
	} {
		recorder := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodPost, "/", nil)
		request.Header.Set("Content-Type", c.kind)
		if c.remote {
			f.WriteRemote(recorder, request, c.body)
		} else {
			f.WriteOTLP(recorder, request, c.body)
		}
		assert.Equal(t, http.StatusRequestEntityTooLarge, recorder.Code, name)
		assert.Contains(t, recorder.Body.String(), c.message, name)
	}
}

// The time to make labels of attributes grows with the square of their number.
func TestHostileAttributes(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	fill := func(attributes pcommon.Map, n int) {
		for i := range n {
			attributes.PutInt("a"+strconv.Itoa(i), 1)
		}
	}
	for name, where := range map[string]func(pmetric.ResourceMetrics, pmetric.NumberDataPoint) pcommon.Map{
		"point": func(_ pmetric.ResourceMetrics, p pmetric.NumberDataPoint) pcommon.Map { return p.Attributes() },
		"resource": func(r pmetric.ResourceMetrics, _ pmetric.NumberDataPoint) pcommon.Map {
			return r.Resource().Attributes()
		},
		"scope": func(r pmetric.ResourceMetrics, _ pmetric.NumberDataPoint) pcommon.Map {
			return r.ScopeMetrics().At(0).Scope().Attributes()
		},
		"exemplar": func(_ pmetric.ResourceMetrics, p pmetric.NumberDataPoint) pcommon.Map {
			return p.Exemplars().AppendEmpty().FilteredAttributes()
		},
	} {
		for n, want := range map[int]int{requestLimits.Attributes: http.StatusOK, requestLimits.Attributes + 1: http.StatusRequestEntityTooLarge} {
			m := pmetric.NewMetrics()
			resource := m.ResourceMetrics().AppendEmpty()
			metric := resource.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
			metric.SetName("a")
			point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
			point.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
			fill(where(resource, point), n)
			request := pmetricotlp.NewExportRequestFromMetrics(m)
			proto, err := request.MarshalProto()
			require.NoError(t, err)
			text, err := request.MarshalJSON()
			require.NoError(t, err)
			for kind, body := range map[string][]byte{protobufType: proto, jsonType: text} {
				recorder := httptest.NewRecorder()
				r := httptest.NewRequest(http.MethodPost, "/", nil)
				r.Header.Set("Content-Type", kind)
				f.WriteOTLP(recorder, r, body)
				assert.Equal(t, want, recorder.Code, "%s, %d: %s", name, n, recorder.Body)
				if want != http.StatusOK {
					assert.Contains(t, recorder.Body.String(), "more than 128 attributes", name)
				}
			}
		}
	}
}

// The series of 2,000 tag sets in one window are far below the limits.
func TestRequestLimits_WindowsOfAnEstate(t *testing.T) {
	t.Parallel()
	m := pmetric.NewMetrics()
	for range 48_000 {
		gauge(m, "ws.active_connections", time.Now(), 1, "eu")
	}
	body, err := pmetricotlp.NewExportRequestFromMetrics(m).MarshalProto()
	require.NoError(t, err)
	_, err = otlpscan.Protobuf(body, otlpscan.Metrics, requestLimits)
	require.NoError(t, err)
}
