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
)

// within puts bytes into a field of a message.
func within(number protowire.Number, inner []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), inner)
}

// Small requests that would take a gigabyte, or the whole stack, once they are decoded.
func TestHostileShapes(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	empty := bytes.Repeat(within(1, nil), maxMessages+1)
	scopes := within(1, bytes.Repeat(within(2, nil), maxMessages+1))
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
		"nested values": {protobufType, deep, false, "messages are more than 64 deep"},
		"series":        {protobufType, empty, true, "more than 1000000 messages"},
		"JSON":          {jsonType, []byte(`{"resourceMetrics":[` + strings.Repeat("{},", maxMessages) + "{}]}"), false, "more than 1000000 messages"},
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

// What makes labels of attributes takes time that grows with the square of their number.
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
		for n, want := range map[int]int{maxAttributes: http.StatusOK, maxAttributes + 1: http.StatusRequestEntityTooLarge} {
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

// A decoder adds up what comes in several parts, and does not what is in several things.
func TestCheckShape_AttributesInParts(t *testing.T) {
	t.Parallel()
	one := within(1, nil)
	var parts, things, list []byte
	for range maxAttributes + 1 {
		parts = append(parts, within(1, one)...)
		things = append(things, within(1, within(1, one))...)
		list = append(list, one...)
	}
	require.ErrorContains(t, checkShape(within(1, parts), otlpRequest), "more than 128 attributes")
	require.NoError(t, checkShape(things, otlpRequest))
	request := pmetricotlp.NewExportRequest()
	require.NoError(t, request.UnmarshalProto(within(1, parts)))
	assert.Equal(t, maxAttributes+1, request.Metrics().ResourceMetrics().At(0).Resource().Attributes().Len())
	inValue := within(1, within(1, within(1, within(2, within(6, list)))))
	require.NoError(t, checkShape(inValue, otlpRequest), "what a value holds makes no labels")
}

// Everything that has a message in OTLP is counted.
func TestCheckShape_CountsAllMessages(t *testing.T) {
	t.Parallel()
	m := pmetric.NewMetrics()
	resource := m.ResourceMetrics().AppendEmpty()                                  // 2, with the resource
	resource.Resource().Attributes().PutStr("a", "b")                              // 2
	resource.Resource().Attributes().PutEmptyMap("m").PutStr("a", "b")             // 2 + 3
	resource.Resource().Attributes().PutEmptySlice("s").AppendEmpty()              // 2 + 2
	scope := resource.ScopeMetrics().AppendEmpty()                                 // 2
	scope.Scope().Attributes().PutStr("a", "b")                                    // 2
	point := func(attributes pcommon.Map) { attributes.PutStr("a", "b") }          // 2
	add := func() pmetric.Metric { return scope.Metrics().AppendEmpty() }          // 1
	gauge := add().SetEmptyGauge().DataPoints().AppendEmpty()                      // 2
	gauge.Exemplars().AppendEmpty().FilteredAttributes().PutStr("a", "b")          // 3
	point(gauge.Attributes())                                                      //
	point(add().SetEmptySum().DataPoints().AppendEmpty().Attributes())             // 2
	point(add().SetEmptyHistogram().DataPoints().AppendEmpty().Attributes())       // 2
	exponential := add().SetEmptyExponentialHistogram().DataPoints().AppendEmpty() // 2 + 2 buckets
	point(exponential.Attributes())
	summary := add().SetEmptySummary().DataPoints().AppendEmpty() // 2
	summary.QuantileValues().AppendEmpty()                        // 1
	point(summary.Attributes())
	body, err := pmetricotlp.NewExportRequestFromMetrics(m).MarshalProto()
	require.NoError(t, err)
	c := counter{left: 1000}
	require.NoError(t, c.count(body, otlpRequest, maxDepth, new(int)))
	assert.Equal(t, 2+2+5+4+2+2+5*(1+2+2)+3+2+1, 1000-c.left)
}

// What 2,000 tag sets have in a window is far below the limits.
func TestCheckShape_WindowsOfAnEstate(t *testing.T) {
	t.Parallel()
	m := pmetric.NewMetrics()
	for range 48_000 {
		gauge(m, "ws.active_connections", time.Now(), 1, "eu")
	}
	body, err := pmetricotlp.NewExportRequestFromMetrics(m).MarshalProto()
	require.NoError(t, err)
	require.NoError(t, checkShape(body, otlpRequest))
}
