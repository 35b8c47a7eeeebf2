// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
)

// Config is the configuration of the processor; see the README.
type Config struct {
	// Tolerance is the skew beyond which a stream's clock drifts.
	Tolerance time.Duration `mapstructure:"tolerance"`
	// Misaligned is the skew beyond which events are flagged.
	Misaligned time.Duration `mapstructure:"misaligned"`
	// Interval is the interval at which the skew of a stream is reported.
	Interval time.Duration `mapstructure:"interval"`
	// Correct shifts the time of the events of a stream that drifts.
	Correct bool `mapstructure:"correct"`
	// RestartAfter is how long our own clock may be misaligned by the reference
	// before the collector stops, to be started again with a clock that was set.
	// 0s never stops it. The default is 5m with a reference.
	RestartAfter time.Duration `mapstructure:"restart_after"`
	// MaxStreams is the maximum number of measured streams.
	MaxStreams int `mapstructure:"max_streams"`
	// Reference is a source of the true time.
	Reference ReferenceConfig `mapstructure:"reference"`
}

// ReferenceConfig configures the source of the true time.
type ReferenceConfig struct {
	// NTP is a server, as host or host:port. Empty is none.
	NTP string `mapstructure:"ntp"`
}

var _ component.Config = (*Config)(nil)

// defaultRestartAfter is some five readings of the reference, and less than the windows
// of a wrong clock that anyone would want to keep.
const defaultRestartAfter = 5 * time.Minute

// Unmarshal rejects durations without a unit. With a reference, restart_after has a default.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	err := confduration.Unmarshal(conf, c)
	if c.Reference.NTP != "" && !conf.IsSet("restart_after") {
		c.RestartAfter = defaultRestartAfter
	}
	return err
}

// Validate reports all invalid settings, each with its key.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(key string, value any, rule string) {
		errs = append(errs, fmt.Errorf("%s: %v: %s", key, value, rule))
	}
	if c.Tolerance < time.Millisecond {
		refuse("tolerance", c.Tolerance, "must be at least 1ms")
	}
	if c.Misaligned < c.Tolerance {
		refuse("misaligned", c.Misaligned, fmt.Sprintf("must be at least tolerance (%v)", c.Tolerance))
	}
	if c.Interval < time.Second {
		refuse("interval", c.Interval, "must be at least 1s")
	}
	if c.MaxStreams < 1 {
		refuse("max_streams", c.MaxStreams, "must be at least 1")
	}
	switch {
	case c.RestartAfter < 0:
		refuse("restart_after", c.RestartAfter, "must not be negative; 0s never restarts")
	case c.RestartAfter > 0 && c.RestartAfter < time.Second:
		refuse("restart_after", c.RestartAfter, "must be at least 1s; 0s never restarts")
	case c.RestartAfter > 0 && c.Reference.NTP == "":
		refuse("restart_after", c.RestartAfter, "needs reference::ntp: without it nobody knows that our own clock is the wrong one")
	}
	if c.Reference.NTP != "" {
		if err := checkAddress(c.Reference.NTP); err != nil {
			refuse("reference::ntp", strconv.Quote(c.Reference.NTP), err.Error())
		}
	}
	return errors.Join(errs...)
}

// checkAddress accepts a host or an address, with or without a port.
func checkAddress(address string) error {
	if strings.Contains(address, "/") || strings.ContainsAny(address, " \t\n") {
		return errors.New("must be host or host:port, such as time.example.com:123")
	}
	if net.ParseIP(address) != nil || !strings.Contains(address, ":") {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return errors.New("must be host or host:port, such as time.example.com:123 or [2001:db8::1]:123")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return errors.New("the port must be a number from 1 to 65535")
	}
	return nil
}
