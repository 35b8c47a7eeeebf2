// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package backend is what the exporters to databases share: the status of the database, and
// requests to one that speaks HTTP.
package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/httpstatus"
)

// Status makes a failing database visible in health_check. Host is set before the first Report.
type Status struct {
	Host component.Host

	mutex    sync.Mutex
	reported string // the error that is shown; empty: none
}

// Report reports the result of a write where it differs from the one before; nil is success.
func (s *Status) Report(err error) {
	event, text := componentstatus.NewEvent(componentstatus.StatusOK), ""
	if err != nil {
		event, text = componentstatus.NewRecoverableErrorEvent(err), err.Error()
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if text != s.reported {
		s.reported = text
		componentstatus.ReportStatus(s.Host, event)
	}
}

// Client sends requests to a database.
type Client struct {
	Name        string // of the database, in errors
	Permanent   []int  // response codes that say that the request itself is wrong
	MaxResponse int64  // bytes that are read of the response to a successful request

	client *http.Client
}

// Open makes the HTTP client. It follows no redirects, which would carry the credentials to
// another host.
func (c *Client) Open(ctx context.Context, config *confighttp.ClientConfig, host component.Host, set component.TelemetrySettings) error {
	client, err := config.ToClient(ctx, host.GetExtensions(), set)
	if err != nil {
		return err
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.client = client
	return nil
}

// Close closes idle connections. Open need not have been called.
func (c *Client) Close() {
	if c.client != nil {
		c.client.CloseIdleConnections()
	}
}

// Post posts a body and returns the body of a successful response. An error is permanent only
// where the request itself is wrong: credentials, and a database that is not there or has moved,
// are for an administrator to correct, and the data is good.
func (c *Client) Post(ctx context.Context, url string, header http.Header, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, consumererror.NewPermanent(err)
	}
	request.Header = header
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if httpstatus.Classify(response.StatusCode) == httpstatus.Delivered {
		return io.ReadAll(io.LimitReader(response.Body, c.MaxResponse))
	}
	return nil, c.refusal(response)
}

const maxErrorText = 1 << 10 // bytes

func (c *Client) refusal(response *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxErrorText))
	text := strings.TrimSpace(strings.ToValidUTF8(string(body), "\uFFFD"))
	err = errors.Join(fmt.Errorf("%s responded with %s: %s", c.Name, response.Status, text), err)
	if slices.Contains(c.Permanent, response.StatusCode) {
		return consumererror.NewPermanent(err)
	}
	if wait := httpstatus.RetryAfter(response.Header.Get("Retry-After"), time.Now()); wait > 0 {
		return exporterhelper.NewThrottleRetry(err, wait)
	}
	return err
}
