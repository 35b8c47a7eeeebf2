// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
)

// NewFactory returns the factory of the ccaas_ws receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithLogs(createLogs, metadata.LogsStability),
	)
}

func createDefaultConfig() component.Config {
	platform, name := api.Default()
	return &Config{
		Platform: platform,
		API:      name,
		OAuth2: OAuth2Config{
			GrantType: clientCredentials,
			Scopes:    []string{"analytics:realtime:view", "digital:engagement:metrics:read"},
			// Clients are often made with these.
			ExtraScopes: []string{"webmessaging:view", "openid", "offline_access"},
		},
		Subprotocol:   autoSubprotocol,
		Notifications: NotificationsConfig{RefreshInterval: 15 * time.Minute},
		EventHub:      EventHubConfig{DiscoveryURL: api.NICEDiscovery},
		Session:       SessionConfig{URLFrom: URLFromConfig{Method: http.MethodPost}, InitialState: api.DefaultOpenChannels()},
		Preflight:     PreflightConfig{Enabled: true, Path: "/api/v2/platform/version"},
		Connections:   1,
		Heartbeat:     HeartbeatConfig{Interval: 15 * time.Second, Timeout: 35 * time.Second},
		MaxFrameSize:  1 << 20,

		PayloadSize:        api.SizeOfEvent,
		MaxPayloadSize:     1 << 30,
		MaxDimensionLength: 128,
		MaxIDLength:        512,
		Timezone:           "UTC",
		Reconnect: ReconnectConfig{
			InitialInterval:     time.Second,
			MaxInterval:         time.Minute,
			Multiplier:          2,
			RandomizationFactor: 0.5,
		},
		Rotation:      RotationConfig{Overlap: 30 * time.Second, MaxAge: 24 * time.Hour},
		Deduplication: DeduplicationConfig{Window: 2 * time.Minute, MaxEvents: 65_536},
		Limits:        LimitsConfig{RequestsPerMinute: 300, DialsPerMinute: 60},
		Batch:         BatchConfig{MaxEvents: 1000, Timeout: 100 * time.Millisecond},
		InitialState: InitialStateConfig{
			Settle: time.Minute, ReconcileInterval: 5 * time.Minute, StuckAfter: 24 * time.Hour, MaxChannels: 200_000,
		},
		Encoding:   encodingRecords,
		Raw:        rawFull,
		IncludeRaw: true,
		UserID:     userPlain,
		Fields:     jsonevent.DefaultFields(),
		TLS:        configtls.NewDefaultClientConfig(),
	}
}

func createLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	return newReceiver(set, cfg.(*Config), next)
}
