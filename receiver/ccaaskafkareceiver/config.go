// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/partitioned"
)

// Config is the configuration of the receiver. Keys that all Kafka clients have are
// named as in the Collector's other Kafka components.
type Config struct {
	// Brokers are the seed brokers.
	Brokers []string `mapstructure:"brokers"`
	// ClientID names this collector in the brokers' logs.
	ClientID string `mapstructure:"client_id"`
	// RackID selects a replica in the same rack, if the brokers support it.
	RackID string `mapstructure:"rack_id"`
	// TLS is for the connections to the brokers; without it they are plain.
	TLS configoptional.Optional[configtls.ClientConfig] `mapstructure:"tls"`
	// Auth configures the authentication at the brokers.
	Auth AuthConfig `mapstructure:"auth"`

	// Topic holds the event records.
	Topic string `mapstructure:"topic"`
	// Encoding of the messages: otlp_proto or otlp_json.
	Encoding string `mapstructure:"encoding"`
	// MaxPartitionFetchSize is the maximum size of one fetch of a partition, in bytes.
	MaxPartitionFetchSize int32 `mapstructure:"max_partition_fetch_size"`
	// InitialOffset is the offset at which a partition without state starts: earliest or latest.
	InitialOffset string `mapstructure:"initial_offset"`

	// GroupID is the consumer group.
	GroupID string `mapstructure:"group_id"`
	// GroupInstanceID makes the collector a static member.
	GroupInstanceID string `mapstructure:"group_instance_id"`
	// SessionTimeout is the time without a heartbeat after which the group removes a collector.
	SessionTimeout time.Duration `mapstructure:"session_timeout"`
	// HeartbeatInterval is the time between heartbeats.
	HeartbeatInterval time.Duration `mapstructure:"heartbeat_interval"`
	// RebalanceTimeout is the maximum time in which a collector releases revoked partitions.
	RebalanceTimeout time.Duration `mapstructure:"rebalance_timeout"`

	// State configures the topic with the state of the windows.
	State StateConfig `mapstructure:"state"`
}

// AuthConfig configures the authentication at the brokers.
type AuthConfig struct {
	SASL configoptional.Optional[SASLConfig] `mapstructure:"sasl"`
}

// SASLConfig configures SASL.
type SASLConfig struct {
	// Mechanism is PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.
	Mechanism string              `mapstructure:"mechanism"`
	Username  string              `mapstructure:"username"`
	Password  configopaque.String `mapstructure:"password"`
	// OAuthBearerTokenSource is the extension that provides the tokens of OAUTHBEARER.
	OAuthBearerTokenSource *component.ID `mapstructure:"oauthbearer_token_source"`
}

// StateConfig configures the topic with the state of the windows.
type StateConfig struct {
	// Topic holds the state; empty: <topic>-<group_id>-state.
	Topic string `mapstructure:"topic"`
	// Create creates the topic, with as many partitions as the event topic.
	Create bool `mapstructure:"create"`
	// ReplicationFactor of a created topic; -1: the brokers' default.
	ReplicationFactor int16 `mapstructure:"replication_factor"`
}

const (
	otlpProto = partitioned.OTLPProto
	otlpJSON  = partitioned.OTLPJSON

	earliest = "earliest"
	latest   = "latest"

	saslPlain       = "PLAIN"
	saslSHA256      = "SCRAM-SHA-256"
	saslSHA512      = "SCRAM-SHA-512"
	saslOAuthBearer = "OAUTHBEARER"
)

var _ component.Config = (*Config)(nil)

// Unmarshal refuses durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, c) }

// Validate reports all invalid settings, each with its YAML key.
func (c *Config) Validate() error {
	errs := []error{
		need(len(c.Brokers) > 0 && !slices.Contains(c.Brokers, ""), "brokers", c.Brokers, "one host:port or more"),
		need(topicName(c.Topic), "topic", c.Topic, topicRule),
		need(c.State.Topic == "" || topicName(c.State.Topic), "state::topic", c.State.Topic, topicRule),
		need(c.State.Topic != c.Topic, "state::topic", c.State.Topic, "another topic than that of the events"),
		need(topicName(c.stateTopic()), "state::topic", c.stateTopic(), topicRule+"; set it, since it cannot be made of topic and group_id"),
		need(c.State.ReplicationFactor == -1 || c.State.ReplicationFactor > 0, "state.replication_factor", c.State.ReplicationFactor, "-1, or 1 and more"),
		need(c.Encoding == otlpProto || c.Encoding == otlpJSON, "encoding", c.Encoding, "otlp_proto or otlp_json"),
		need(c.InitialOffset == earliest || c.InitialOffset == latest, "initial_offset", c.InitialOffset, "earliest or latest"),
		need(c.MaxPartitionFetchSize >= 1<<10 && c.MaxPartitionFetchSize <= 64<<20, "max_partition_fetch_size", c.MaxPartitionFetchSize, "1024 to 67108864 bytes"),
		need(c.GroupID != "", "group_id", c.GroupID, "a name"),
		need(c.HeartbeatInterval > 0, "heartbeat_interval", c.HeartbeatInterval, "more than 0"),
		need(c.SessionTimeout > c.HeartbeatInterval, "session_timeout", c.SessionTimeout, fmt.Sprintf("more than heartbeat_interval (%v)", c.HeartbeatInterval)),
		need(c.RebalanceTimeout >= c.SessionTimeout, "rebalance_timeout", c.RebalanceTimeout, fmt.Sprintf("at least session_timeout (%v)", c.SessionTimeout)),
	}
	if c.Auth.SASL.HasValue() {
		errs = append(errs, c.Auth.SASL.Get().check())
	}
	return errors.Join(errs...)
}

func (c *SASLConfig) check() error {
	switch c.Mechanism {
	case saslPlain, saslSHA256, saslSHA512:
		return errors.Join(
			need(c.Username != "", "auth::sasl::username", c.Username, "given with "+c.Mechanism),
			need(c.Password != "", "auth::sasl::password", "", "given with "+c.Mechanism))
	case saslOAuthBearer:
		return need(c.OAuthBearerTokenSource != nil, "auth::sasl::oauthbearer_token_source", "", "the extension that has the tokens, as oauth2client")
	default:
		return need(false, "auth::sasl::mechanism", c.Mechanism, "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER")
	}
}

// stateTopic is the topic with the state.
func (c *Config) stateTopic() string {
	if c.State.Topic != "" {
		return c.State.Topic
	}
	return c.Topic + "-" + c.GroupID + "-state"
}

const topicRule = "1 to 249 letters, digits and ._- "

func topicName(name string) bool {
	return name != "" && len(name) <= 249 && name != "." && name != ".." && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}

// need returns nil if ok, otherwise an error that names the key, the value and the
// requirement.
func need(ok bool, key string, value any, want string) error {
	if ok {
		return nil
	}
	if text, isText := value.(string); isText {
		value = fmt.Sprintf("%q", text)
	}
	return fmt.Errorf("%s: %v: must be %s", key, value, strings.TrimSpace(want))
}
