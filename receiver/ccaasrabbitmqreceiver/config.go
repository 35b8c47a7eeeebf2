// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaasrabbitmqreceiver

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitmq"
)

// Config is the configuration of the receiver; see the README.
type Config struct {
	// ClientConfig is how the broker's stream port is reached.
	ClientConfig rabbitmq.ClientConfig `mapstructure:",squash"`
	// AMQPEndpoint is amqp://host:port, or amqps://host:port with the TLS of ClientConfig.
	AMQPEndpoint string `mapstructure:"amqp_endpoint"`
	// Stream is the prefix of the streams with the events.
	Stream string `mapstructure:"stream"`
	// Partitions is the number of streams.
	Partitions int `mapstructure:"partitions"`
	// InitialOffset is where a partition without state starts: earliest or latest.
	InitialOffset string `mapstructure:"initial_offset"`
	// GroupID names the group of collectors that share the partitions, and their state.
	GroupID string `mapstructure:"group_id"`
	// SessionTimeout is the time without a sign of a collector after which others get its
	// partitions.
	SessionTimeout time.Duration `mapstructure:"session_timeout"`
	// State configures the streams with the state of the windows.
	State StateConfig `mapstructure:"state"`
}

// StateConfig configures the streams with the state of the windows.
type StateConfig struct {
	// Create creates them.
	Create bool `mapstructure:"create"`
	// MaxBytes is the size of one of them at which its oldest records are deleted.
	MaxBytes int64 `mapstructure:"max_bytes"`
}

const (
	earliest = "earliest"
	latest   = "latest"
)

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
)

// Unmarshal rejects durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, c) }

// Validate reports all invalid settings, each with its key.
func (c *Config) Validate() error {
	errs := []error{c.ClientConfig.Check()}
	refuse := func(bad bool, key string, value any, want string) {
		if bad {
			errs = append(errs, fmt.Errorf("%s: %v: must be %s", key, value, want))
		}
	}
	if _, _, err := c.amqpAddress(); err != nil {
		errs = append(errs, err)
	}
	refuse(!rabbitmq.Name(c.Stream), "stream", c.Stream, rabbitmq.NameRule)
	refuse(!rabbitmq.Name(c.GroupID) || len(c.Stream)+len(c.GroupID) > 200, "group_id", c.GroupID, rabbitmq.NameRule+", and with stream at most 200 characters")
	refuse(c.Partitions < 1 || c.Partitions > rabbitmq.MaxPartitions, "partitions", c.Partitions, fmt.Sprintf("1 to %d", rabbitmq.MaxPartitions))
	refuse(c.InitialOffset != earliest && c.InitialOffset != latest, "initial_offset", c.InitialOffset, "earliest or latest")
	refuse(c.SessionTimeout < 2*time.Second, "session_timeout", c.SessionTimeout, "at least 2s")
	refuse(c.State.MaxBytes < minStateBytes, "state::max_bytes", c.State.MaxBytes, fmt.Sprintf("at least %d", int64(minStateBytes)))
	return errors.Join(errs...)
}

// amqpAddress returns host:port of the AMQP endpoint, and whether TLS is used.
func (c *Config) amqpAddress() (address string, secure bool, err error) {
	u, err := url.Parse(c.AMQPEndpoint)
	if err != nil || u.Scheme != "amqp" && u.Scheme != "amqps" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", false, errors.New("amqp_endpoint: must be amqp://host:5672, or amqps://host:5671 with TLS")
	}
	if u.User != nil {
		return "", false, errors.New("amqp_endpoint: holds a user; use auth::username and auth::password")
	}
	secure = u.Scheme == "amqps"
	port := u.Port()
	switch {
	case port != "":
	case secure:
		port = "5671"
	default:
		port = "5672"
	}
	return net.JoinHostPort(u.Hostname(), port), secure, nil
}

// stateStream is the stream with the state of a partition.
func (c *Config) stateStream(partition int32) string {
	return rabbitmq.StreamName(c.Stream, int(partition)) + "-" + c.GroupID + "-state"
}
