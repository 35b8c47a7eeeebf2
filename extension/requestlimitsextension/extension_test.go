// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package requestlimitsextension

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configmiddleware"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/requestlimitsextension/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/extension/requestlimitsextension/internal/metadatatest"
)

// server is a server of the Collector with the middleware, and a handler that decodes logs.
type server struct {
	*httptest.Server
	telemetry *componenttest.Telemetry
	decoded   chan int // records
	hold      chan struct{}
	limits    extension.Extension
}

func serve(t *testing.T, change func(*Config)) *server {
	t.Helper()
	s := &server{telemetry: componenttest.NewTelemetry(), decoded: make(chan int, 100), hold: make(chan struct{})}
	t.Cleanup(func() { assert.NoError(t, s.telemetry.Shutdown(context.Background())) })
	config := createDefaultConfig().(*Config)
	change(config)
	require.NoError(t, config.Validate())
	limits, err := createExtension(t.Context(), extension.Settings{
		ID: component.NewID(metadata.Type), TelemetrySettings: s.telemetry.NewTelemetrySettings(),
	}, config)
	require.NoError(t, err)
	s.limits = limits
	require.NoError(t, limits.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, limits.Shutdown(context.Background())) })
	http := confighttp.NewDefaultServerConfig()
	http.Middlewares = []configmiddleware.Config{{ID: component.NewID(metadata.Type)}}
	http.CompressionAlgorithms = []string{}
	built, err := http.ToServer(t.Context(), map[component.ID]component.Component{component.NewID(metadata.Type): limits},
		componenttest.NewNopTelemetrySettings(), s)
	require.NoError(t, err)
	s.Server = httptest.NewUnstartedServer(built.Handler)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP decodes as the receiver does.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Hold") != "" {
		s.decoded <- -1
		<-s.hold
	}
	body, err := io.ReadAll(r.Body)
	request := plogotlp.NewExportRequest()
	if err == nil && r.Header.Get("Content-Type") == jsonType {
		err = request.UnmarshalJSON(body)
	} else if err == nil {
		err = request.UnmarshalProto(body)
	}
	if err != nil || r.ContentLength != int64(len(body)) || r.Header.Get("Content-Encoding") != "" {
		http.Error(w, fmt.Sprint(err), http.StatusTeapot)
		return
	}
	s.decoded <- request.Logs().LogRecordCount()
}

func (s *server) send(t *testing.T, path, kind, encoding string, body []byte) (status int, message string, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", kind)
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	status = response.StatusCode
	if status == http.StatusOK {
		return status, "", response.Header
	}
	rpc := &rpcstatus.Status{}
	switch kind {
	case protobufType:
		require.NoError(t, proto.Unmarshal(text, rpc), "%d %s", status, text)
	case jsonType:
		require.NoError(t, protojson.Unmarshal(text, rpc), "%d %s", status, text)
	default:
		rpc.Message = string(text)
	}
	return status, rpc.GetMessage(), response.Header
}

func compressed(t *testing.T, body []byte) []byte {
	t.Helper()
	var to bytes.Buffer
	w := gzip.NewWriter(&to)
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return to.Bytes()
}

// logs encodes records with attributes.
func logs(t *testing.T, records, attributes int) (protobuf, json []byte) {
	t.Helper()
	ld := plog.NewLogs()
	all := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for range records {
		record := all.AppendEmpty()
		for a := range attributes {
			record.Attributes().PutInt(fmt.Sprint("a", a), 1)
		}
	}
	request := plogotlp.NewExportRequestFromLogs(ld)
	protobuf, err := request.MarshalProto()
	require.NoError(t, err)
	json, err = request.MarshalJSON()
	require.NoError(t, err)
	return protobuf, json
}

func TestMiddleware_PassesRequestsWithinTheLimits(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	protobuf, json := logs(t, 3, 2)
	for name, send := range map[string]func() (int, string, http.Header){
		"protobuf": func() (int, string, http.Header) { return s.send(t, "/v1/logs", protobufType, "", protobuf) },
		"JSON":     func() (int, string, http.Header) { return s.send(t, "/prefix/v1/logs", jsonType, "", json) },
		"identity": func() (int, string, http.Header) { return s.send(t, "/v1/logs", protobufType, "identity", protobuf) },
		"gzip": func() (int, string, http.Header) {
			return s.send(t, "/v1/logs", protobufType, "gzip", compressed(t, protobuf))
		},
		"JSON and gzip": func() (int, string, http.Header) { return s.send(t, "/v1/logs", jsonType, "gzip", compressed(t, json)) },
	} {
		status, message, _ := send()
		assert.Equal(t, http.StatusOK, status, "%s: %s", name, message)
		if status == http.StatusOK {
			assert.Equal(t, 3, <-s.decoded, name)
		}
	}
	metadatatest.AssertEqualRequestLimitsInflightBytes(t, s.telemetry, inflight(0), metricdatatest.IgnoreTimestamp())
}

func TestMiddleware_RefusesWithLimitAndKey(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config) {
		c.MaxBodyBytes, c.MaxInflightBytes, c.MaxMessages, c.MaxAttributes = 1<<20, 2<<20, 3000, 4
	})
	many, manyJSON := logs(t, 5000, 0)
	wide, wideJSON := logs(t, 1, 5)
	heavy, _ := logs(t, 1400, 0)
	heavy = append(heavy, field(12, make([]byte, 600_000))...)
	deep := []byte(nil)
	for range 60 {
		deep = field(5, field(1, deep))
	}
	deep = field(1, field(2, field(2, field(5, deep))))
	for name, c := range map[string]struct {
		path, kind, encoding string
		body                 []byte
		status               int
		message              string
	}{
		"body":               {"/v1/logs", protobufType, "", make([]byte, 1<<20+1), 413, "(max_body_bytes: 1048576, as sent and decompressed)"},
		"decompressed body":  {"/v1/logs", protobufType, "gzip", compressed(t, make([]byte, 1<<20+1)), 413, "(max_body_bytes: 1048576, as sent and decompressed)"},
		"messages":           {"/v1/logs", protobufType, "", many, 413, "more than 3000 messages in one request (max_messages)"},
		"messages in JSON":   {"/v1/logs", jsonType, "", manyJSON, 413, "more than 3000 messages in one request (max_messages)"},
		"attributes":         {"/v1/logs", protobufType, "", wide, 413, "(max_attributes)"},
		"attributes in JSON": {"/v1/logs", jsonType, "", wideJSON, 413, "(max_attributes)"},
		"depth":              {"/v1/logs", protobufType, "", deep, 413, "messages are nested deeper than 64 (max_depth)"},
		"memory":             {"/v1/logs", protobufType, "", heavy, 413, "(max_inflight_bytes: 2097152)"},
		"path":               {"/ingest", protobufType, "", many, 404, "the path does not end in /v1/logs"},
		"malformed":          {"/v1/logs", protobufType, "", []byte{0x0a}, 400, "not well-formed"},
		"malformed gzip":     {"/v1/logs", jsonType, "gzip", []byte("x"), 400, "gzip: "},
		"encoding":           {"/v1/logs", "text/plain", "br", []byte("x"), 415, `unsupported Content-Encoding: "br"`},
	} {
		status, message, _ := s.send(t, c.path, c.kind, c.encoding, c.body)
		assert.Equal(t, c.status, status, "%s: %s", name, message)
		assert.Contains(t, message, "request_limits: ", name)
		assert.Contains(t, message, c.message, name)
	}
	assert.Empty(t, s.decoded)
	metadatatest.AssertEqualRequestLimitsRefusedRequests(t, s.telemetry, refusals(map[string]int64{
		"body_bytes": 2, "messages": 2, "attributes": 2, "depth": 1, "inflight_bytes": 1, "path": 1, "malformed": 2, "encoding": 1,
	}), metricdatatest.IgnoreTimestamp())
}

// begin sends the head of a request and a part of its body.
func (s *server) begin(t *testing.T, length, sent int) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
		length, strings.Repeat(" ", sent))
	require.NoError(t, err)
	return conn
}

func response(conn net.Conn) (int, string) {
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, err.Error()
	}
	return r.StatusCode, string(text)
}

// Bodies that are never finished share the memory, take no slot, and are refused when others need it.
func TestMiddleware_UnfinishedBodies(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config) {
		c.MaxBodyBytes, c.MaxInflightBytes, c.MaxConcurrentRequests, c.MaxWaitingRequests = 1<<20, 4<<20, 1, 0
	})
	protobuf, _ := logs(t, 1, 1)
	refused := make(chan string, 100)
	for range 8 {
		conn := s.begin(t, 1<<20, 1<<20-1)
		go func() {
			_, message := response(conn)
			refused <- message
		}()
	}
	assert.Contains(t, <-refused, "(max_inflight_bytes: 4194304)")
	status, message, _ := s.send(t, "/v1/logs", protobufType, "", protobuf)
	assert.Equal(t, http.StatusOK, status, message)
}

func TestMiddleware_ReadTimeout(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config) { c.ReadTimeout = time.Second })
	status, message := response(s.begin(t, 100, 1))
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, message, "(read_timeout: 1s)")
}

// Shutdown does not wait for bodies that are still being received.
func TestMiddleware_Shutdown(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	conn := s.begin(t, 100, 1)
	protobuf, _ := logs(t, 1, 1)
	status, _, _ := s.send(t, "/v1/logs", protobufType, "", protobuf)
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, s.limits.(extensioncapabilities.PipelineWatcher).NotReady())
	status, message := response(conn)
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, message, "the collector is shutting down")
	status, _, _ = s.send(t, "/v1/logs", protobufType, "", protobuf)
	assert.Equal(t, http.StatusServiceUnavailable, status)
}

// The read timeout ends with the body: it does not cancel a request that is still consumed.
func TestMiddleware_ConcurrentRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config) { c.MaxConcurrentRequests, c.MaxWaitingRequests, c.ReadTimeout = 1, 0, time.Second })
	protobuf, _ := logs(t, 1, 1)
	held := make(chan int)
	go func() {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/logs", bytes.NewReader(protobuf))
		if assert.NoError(t, err) {
			r.Header.Set("Content-Type", protobufType)
			r.Header.Set("X-Hold", "1")
			if response, err := s.Client().Do(r); assert.NoError(t, err) {
				_ = response.Body.Close()
				held <- response.StatusCode
			}
		}
	}()
	<-s.decoded
	status, message, header := s.send(t, "/v1/logs", protobufType, "", protobuf)
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, "1", header.Get("Retry-After"))
	assert.Contains(t, message, "(max_concurrent_requests: 1, max_waiting_requests: 0)")
	close(s.hold)
	assert.Equal(t, http.StatusOK, <-held)
}

func TestCreate(t *testing.T) {
	t.Parallel()
	_, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), createDefaultConfig())
	require.NoError(t, err)
}

// field encodes bytes as a field of a message.
func field(number protowire.Number, inner []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), inner)
}

func inflight(bytes int64) []metricdata.DataPoint[int64] {
	return []metricdata.DataPoint[int64]{{Value: bytes}}
}

func refusals(byReason map[string]int64) []metricdata.DataPoint[int64] {
	var points []metricdata.DataPoint[int64]
	for reason, n := range byReason {
		points = append(points, metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String("reason", reason))})
	}
	return points
}

// A gRPC server that names the extension does not start.
func TestGRPC_Refused(t *testing.T) {
	t.Parallel()
	set := extensiontest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	l, err := newLimits(set, createDefaultConfig().(*Config))
	require.NoError(t, err)
	middleware := configmiddleware.Config{ID: set.ID}
	_, err = middleware.GetGRPCServerOptions(t.Context(), map[component.ID]component.Component{set.ID: l})
	require.ErrorContains(t, err, "grpc::middlewares: request_limits: bounds HTTP requests only")
}
