// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package rabbitmq has what the exporter rabbitmq_stream and the receiver ccaas_rabbitmq
// share: the configuration of the connection, and how streams are named and events are
// placed in them.
package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configtls"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitstream"
)

// MaxPartitions is the maximum number of partitions.
const MaxPartitions = 128

// StreamName returns the name of the stream that holds a partition.
func StreamName(stream string, partition int) string { return stream + "-" + strconv.Itoa(partition) }

// Partition returns the partition of a key, as wsevent.StreamKey makes it.
func Partition(key []byte, partitions int) int {
	return int(xxhash.Sum64(key) % uint64(partitions)) //nolint:gosec // at most MaxPartitions
}

// ClientConfig configures the connections to the stream port.
type ClientConfig struct {
	// Endpoint is rabbitmq-stream://host:port, or rabbitmq-stream+tls://host:port.
	Endpoint string `mapstructure:"endpoint"`
	// TLS is for an endpoint with +tls.
	TLS configtls.ClientConfig `mapstructure:"tls"`
	// Auth is the user.
	Auth AuthConfig `mapstructure:"auth"`
	// VirtualHost holds the streams.
	VirtualHost string `mapstructure:"virtual_host"`
	// Timeout bounds connecting, one request and one write.
	Timeout time.Duration `mapstructure:"timeout"`
}

// AuthConfig is the user at the broker.
type AuthConfig struct {
	Username string              `mapstructure:"username"`
	Password configopaque.String `mapstructure:"password"`
}

const (
	scheme    = "rabbitmq-stream"
	schemeTLS = "rabbitmq-stream+tls"
	portPlain = "5552"
	portTLS   = "5551"
)

// NewDefaultClientConfig returns the defaults: a broker on this machine. There is no
// default user.
func NewDefaultClientConfig() ClientConfig {
	return ClientConfig{
		Endpoint: "rabbitmq-stream://localhost:5552", TLS: configtls.NewDefaultClientConfig(),
		VirtualHost: "/", Timeout: 5 * time.Second,
	}
}

// Check reports all invalid settings, each with its key. It is called by the Validate of the
// configuration that includes this one.
func (c *ClientConfig) Check() error {
	var errs []error
	if _, _, err := c.address(); err != nil {
		errs = append(errs, err)
	}
	if c.Auth.Username == "" {
		errs = append(errs, errors.New("auth::username: must be set, with auth::password; there is no default user"))
	}
	if c.VirtualHost == "" {
		errs = append(errs, errors.New(`virtual_host: must not be empty; the default one is "/"`))
	}
	if c.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("timeout: %v: must be more than 0", c.Timeout))
	}
	return errors.Join(errs...)
}

// address returns host:port of the endpoint, and whether TLS is used.
func (c *ClientConfig) address() (address string, secure bool, err error) {
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil:
		return "", false, errors.New("endpoint: is no URL, such as rabbitmq-stream://localhost:5552")
	case u.Scheme != scheme && u.Scheme != schemeTLS || u.Hostname() == "":
		return "", false, fmt.Errorf("endpoint: must be %s://host:%s, or %s://host:%s with TLS", scheme, portPlain, schemeTLS, portTLS)
	case u.User != nil:
		return "", false, errors.New("endpoint: holds a user; use auth::username and auth::password")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", false, errors.New("endpoint: has a path or a query; use virtual_host")
	}
	secure = u.Scheme == schemeTLS
	port := u.Port()
	switch {
	case port != "":
	case secure:
		port = portTLS
	default:
		port = portPlain
	}
	return net.JoinHostPort(u.Hostname(), port), secure, nil
}

// heartbeat is the interval of heartbeats: a broker that does not respond for twice as long is
// unreachable.
const heartbeat = 5 * time.Second

// Options returns the options of connections with a name.
func (c *ClientConfig) Options(ctx context.Context, name string) (rabbitstream.Options, error) {
	address, secure, err := c.address()
	if err != nil {
		return rabbitstream.Options{}, err
	}
	options := rabbitstream.Options{
		Address: address, Username: c.Auth.Username, Password: string(c.Auth.Password), VirtualHost: c.VirtualHost,
		Name: name, Heartbeat: heartbeat, Timeout: c.Timeout,
	}
	if !secure {
		return options, nil
	}
	if options.TLS, err = c.TLS.LoadTLSConfig(ctx); err != nil {
		return options, fmt.Errorf("tls: %w", err)
	}
	if options.TLS.ServerName == "" {
		options.TLS.ServerName, _, _ = net.SplitHostPort(address)
	}
	return options, nil
}

// RetentionConfig is how long a stream keeps its messages. It is used where the stream is
// created, and changed later by a policy of the broker.
type RetentionConfig struct {
	// MaxAge is the age at which messages are deleted; 0: any.
	MaxAge time.Duration `mapstructure:"max_age"`
	// MaxBytes is the size of a partition at which its oldest messages are deleted; 0: any.
	MaxBytes int64 `mapstructure:"max_bytes"`
}

// segmentSize is the size of the files in which the broker keeps a stream. It deletes only
// complete ones.
const segmentSize = 64 << 20

// Arguments returns the arguments of a stream with this retention.
func (c *RetentionConfig) Arguments() map[string]string {
	arguments := map[string]string{}
	segment := int64(segmentSize)
	if c.MaxAge > 0 {
		arguments[rabbitstream.ArgMaxAge] = strconv.FormatInt(int64(c.MaxAge.Seconds()), 10) + "s"
	}
	if c.MaxBytes > 0 {
		arguments[rabbitstream.ArgMaxBytes] = strconv.FormatInt(c.MaxBytes, 10)
		segment = min(segment, max(c.MaxBytes/8, 1<<20))
	}
	arguments[rabbitstream.ArgSegmentSize] = strconv.FormatInt(segment, 10)
	return arguments
}

// Check reports all invalid settings, each with its key below retention.
func (c *RetentionConfig) Check() error {
	var errs []error
	if c.MaxAge < 0 || c.MaxAge > 0 && c.MaxAge < time.Second {
		errs = append(errs, fmt.Errorf("retention::max_age: %v: must be 0s, or at least 1s", c.MaxAge))
	}
	if c.MaxBytes < 0 || c.MaxBytes > 0 && c.MaxBytes < 1<<20 {
		errs = append(errs, fmt.Errorf("retention::max_bytes: %d: must be 0, or at least 1048576", c.MaxBytes))
	}
	return errors.Join(errs...)
}

// Name reports whether a name can be that of a stream, and leaves room for a suffix.
func Name(name string) bool {
	return name != "" && len(name) <= 180 && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}

// NameRule is what Name requires.
const NameRule = "1 to 180 letters, digits and ._-"
