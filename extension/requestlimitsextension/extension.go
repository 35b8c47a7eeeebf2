// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package requestlimitsextension

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/requestlimitsextension/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/otlpscan"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/requestbody"
)

// limits is the extension, and the middleware of the servers that name it.
type limits struct {
	id        component.ID
	config    *Config
	telemetry *metadata.TelemetryBuilder
	bodies    requestbody.Reader
}

var (
	_ extensionmiddleware.HTTPServer        = (*limits)(nil)
	_ extensionmiddleware.GRPCServer        = (*limits)(nil)
	_ extensioncapabilities.PipelineWatcher = (*limits)(nil)
)

func newLimits(set extension.Settings, config *Config) (*limits, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &limits{
		id:        set.ID,
		config:    config,
		telemetry: telemetry,
		bodies: requestbody.Reader{
			MaxBytes:   config.MaxBodyBytes,
			Timeout:    config.ReadTimeout,
			Algorithms: requestbody.Algorithms,
			Budget:     requestbody.NewBudget(config.MaxInflightBytes),
			Limiter:    requestbody.NewLimiter(config.MaxConcurrentRequests, config.MaxWaitingRequests),
		},
	}, nil
}

// Start implements component.Component.
func (l *limits) Start(context.Context, component.Host) error {
	return l.telemetry.RegisterRequestLimitsInflightBytesCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(int64(l.bodies.Budget.Used()))
		return nil
	})
}

// Ready implements extensioncapabilities.PipelineWatcher.
func (*limits) Ready() error { return nil }

// NotReady implements extensioncapabilities.PipelineWatcher. Receivers shut down next and wait for their
// requests: those whose bodies are still being received would make them wait for read_timeout.
func (l *limits) NotReady() error {
	l.bodies.Budget.Close()
	return nil
}

// Shutdown implements component.Component. Requests in flight end with their servers.
func (l *limits) Shutdown(context.Context) error {
	l.telemetry.Shutdown()
	return nil
}

// GetHTTPHandler implements extensionmiddleware.HTTPServer.
func (l *limits) GetHTTPHandler(context.Context) (extensionmiddleware.WrapHTTPHandlerFunc, error) {
	return func(_ context.Context, next http.Handler) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.serve(w, r, next) }), nil
	}, nil
}

// GetGRPCServerOptions implements extensionmiddleware.GRPCServer, to refuse with an error that
// names what to do: gRPC decodes a message before any middleware can bound it.
func (l *limits) GetGRPCServerOptions(context.Context) ([]grpc.ServerOption, error) {
	return nil, fmt.Errorf("grpc::middlewares: %s: bounds HTTP requests only; receive by the http protocol, or remove it from the middlewares of grpc", l.id)
}

// errPath is the error of a path whose body is not known here, and so not scanned.
var errPath = errors.New("the path does not end in /v1/logs, /v1/metrics or /v1/traces")

// serve passes a request on with its body complete, decompressed and scanned.
func (l *limits) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	err := l.bodies.Read(w, r, func(claim *requestbody.Claim, body []byte) error {
		size, err := l.scan(r, body)
		if err != nil {
			return err
		}
		if err := claim.Grow(size.Bytes + 2*len(body)); err != nil { // the server reads it once more, into a buffer that grows
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength = int64(len(body))
		r.Header.Del("Content-Encoding")
		next.ServeHTTP(w, r)
		return nil
	})
	if err != nil {
		l.refuse(w, r, err)
	}
}

// scan checks what a body decodes to. Bodies that are not OTLP are rejected by the receiver, without decoding.
func (l *limits) scan(r *http.Request, body []byte) (otlpscan.Size, error) {
	of := messageOf(r.URL.Path)
	if of == nil {
		return otlpscan.Size{}, errPath
	}
	bounds := otlpscan.Limits{Messages: l.config.MaxMessages, Depth: l.config.MaxDepth, Attributes: l.config.MaxAttributes}
	switch contentType(r) {
	case protobufType:
		return otlpscan.Protobuf(body, of, bounds)
	case jsonType:
		return otlpscan.JSON(body, bounds)
	}
	return otlpscan.Size{}, nil
}

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

func contentType(r *http.Request) string {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // the receiver rejects none
	return kind
}

func messageOf(path string) *otlpscan.Message {
	for suffix, of := range map[string]*otlpscan.Message{
		"/v1/logs": otlpscan.Logs, "/v1/metrics": otlpscan.Metrics, "/v1/traces": otlpscan.Traces,
	} {
		if strings.HasSuffix(path, suffix) {
			return of
		}
	}
	return nil
}

// refuse responds with the exceeded limit and its key, encoded as OTLP requires it.
func (l *limits) refuse(w http.ResponseWriter, r *http.Request, err error) {
	reason, hint := l.explain(err)
	l.telemetry.RequestLimitsRefusedRequests.Add(r.Context(), 1, metric.WithAttributes(attribute.String("reason", reason)))
	message := strings.ToValidUTF8("request_limits: "+err.Error()+hint, "\uFFFD")
	status := status(w, err)
	response := &rpcstatus.Status{Code: int32(code(status)), Message: message}
	text, kind := []byte(message), contentType(r)
	switch kind {
	case protobufType:
		text, _ = proto.Marshal(response) // it is valid
	case jsonType:
		text, _ = protojson.Marshal(response)
	default:
		kind = "text/plain; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client may have gone
}

// explain gives the reason of an error, as it is counted, and a hint with the limit's key.
func (l *limits) explain(err error) (reason, hint string) {
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	exceeded, isLimit := errors.AsType[*otlpscan.LimitError](err)
	c := l.config
	switch {
	case isLimit:
		return exceeded.Limit, fmt.Sprintf(" (max_%s); send smaller batches or flatter attributes", exceeded.Limit)
	case tooLarge:
		return "body_bytes", fmt.Sprintf(" (max_body_bytes: %d, as sent and decompressed); send smaller batches", c.MaxBodyBytes)
	case errors.Is(err, requestbody.ErrLargerThanBudget), errors.Is(err, requestbody.ErrBudgetExceeded):
		return "inflight_bytes", fmt.Sprintf(" (max_inflight_bytes: %d)", c.MaxInflightBytes)
	case errors.Is(err, requestbody.ErrTooManyRequests):
		return "concurrent_requests", fmt.Sprintf(" (max_concurrent_requests: %d, max_waiting_requests: %d)",
			c.MaxConcurrentRequests, c.MaxWaitingRequests)
	case errors.Is(err, requestbody.ErrClosed):
		return "shutdown", ""
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "read_timeout", fmt.Sprintf(" (read_timeout: %v)", c.ReadTimeout)
	case errors.Is(err, errPath):
		return "path", ""
	case errors.Is(err, requestbody.ErrEncoding):
		return "encoding", ""
	}
	return "malformed", ""
}

func status(w http.ResponseWriter, err error) int {
	if _, isLimit := errors.AsType[*otlpscan.LimitError](err); isLimit {
		return http.StatusRequestEntityTooLarge
	}
	if errors.Is(err, errPath) {
		return http.StatusNotFound
	}
	return requestbody.Status(w, err)
}

// code is the gRPC code for a status, as OTLP maps them.
func code(status int) codes.Code {
	switch status {
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	case http.StatusRequestEntityTooLarge:
		return codes.ResourceExhausted
	}
	return codes.InvalidArgument
}
