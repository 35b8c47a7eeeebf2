// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package requestlimitsextension

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
)

// Config is the configuration of the extension. All servers that name the same extension share its limits.
type Config struct {
	// MaxBodyBytes is the maximum size of a body, both as sent and decompressed.
	MaxBodyBytes int64 `mapstructure:"max_body_bytes"`
	// MaxInflightBytes is the maximum memory of all requests in flight: their bodies, and what they decode to.
	MaxInflightBytes int `mapstructure:"max_inflight_bytes"`
	// MaxMessages is the maximum number of messages of a request: resources, scopes, records, points,
	// attributes and their values.
	MaxMessages int `mapstructure:"max_messages"`
	// MaxDepth is the maximum nesting depth of messages.
	MaxDepth int `mapstructure:"max_depth"`
	// MaxAttributes is the maximum number of attributes of one resource, scope, record, point or span.
	MaxAttributes int `mapstructure:"max_attributes"`
	// MaxConcurrentRequests is the maximum number of requests that are decoded and consumed at the same time.
	MaxConcurrentRequests int `mapstructure:"max_concurrent_requests"`
	// MaxWaitingRequests is the maximum number of received requests that wait for that.
	MaxWaitingRequests int `mapstructure:"max_waiting_requests"`
	// ReadTimeout is the maximum time to receive a body.
	ReadTimeout time.Duration `mapstructure:"read_timeout"`
}

var _ component.Config = (*Config)(nil)

// Unmarshal rejects durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, c) }

// Validate reports all invalid settings, each with its key.
func (c *Config) Validate() error {
	var errs []error
	atLeast := func(key string, value, least int64) {
		if value < least {
			errs = append(errs, fmt.Errorf("%s: %d: must be at least %d", key, value, least))
		}
	}
	atLeast("max_body_bytes", c.MaxBodyBytes, 1)
	atLeast("max_inflight_bytes", int64(c.MaxInflightBytes), 2*max(c.MaxBodyBytes, 1<<19)) // a body as sent, and decompressed
	atLeast("max_messages", int64(c.MaxMessages), 1)
	if c.MaxDepth < 8 || c.MaxDepth > 1000 {
		errs = append(errs, fmt.Errorf("max_depth: %d: must be from 8 to 1000", c.MaxDepth))
	}
	atLeast("max_attributes", int64(c.MaxAttributes), 1)
	atLeast("max_concurrent_requests", int64(c.MaxConcurrentRequests), 1)
	atLeast("max_waiting_requests", int64(c.MaxWaitingRequests), 0)
	if c.ReadTimeout < time.Second {
		errs = append(errs, fmt.Errorf("read_timeout: %v: must be at least 1s", c.ReadTimeout))
	}
	return errors.Join(errs...)
}
