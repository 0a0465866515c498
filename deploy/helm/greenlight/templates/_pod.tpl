{{/* The name of the release's objects. */}}
{{- define "greenlight.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "greenlight" .Release.Name -}}
{{- .Release.Name | replace "." "-" | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-greenlight" (.Release.Name | replace "." "-" | trunc 41 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of a list of the root and a program: greenlight, greenlight-webhook… */}}
{{- define "greenlight.selector" -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end -}}

{{/* The labels of every object, from the same list. */}}
{{- define "greenlight.labels" -}}
{{- $root := index . 0 -}}
{{ include "greenlight.selector" . }}
app.kubernetes.io/part-of: greenlight
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | replace "+" "_" | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "greenlight.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "greenlight.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "greenlight.plans" -}}
{{- with .Values.plans -}}
{{- if gt (len (compact (list .existingConfigMap .existingClaim (ternary "files" "" (gt (len .files) 0))))) 1 -}}
{{- fail "plans: set only one of existingConfigMap, existingClaim and files" -}}
{{- end -}}
{{- end -}}
{{- if .Values.plans.existingClaim -}}
persistentVolumeClaim: {claimName: {{ .Values.plans.existingClaim }}, readOnly: true}
{{- else -}}
configMap: {name: {{ .Values.plans.existingConfigMap | default (printf "%s-plans" (include "greenlight.fullname" .)) }}}
{{- end -}}
{{- end -}}

{{/*
The variables env, unless extra has them too, and those of extra. Two of one name would be
refused by server-side apply.
*/}}
{{- define "greenlight.env" -}}
{{- $env := .env -}}
{{- range .extra -}}
{{- if and (has .name (list "TELNYX_API_KEY" "ADMIN_TOKEN" "NOTIFY_URL" "NATS_URL" "OTEL_EXPORTER_OTLP_HEADERS" "OTEL_EXPORTER_OTLP_TRACES_HEADERS")) (not .valueFrom) -}}
{{- fail (printf "extraEnv: %s is a secret: give it by valueFrom, or in existingSecret" .name) -}}
{{- end -}}
{{- $env = omit $env .name -}}
{{- end -}}
{{- range $name, $value := $env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- range .extra }}
- {{ toJson . }}
{{- end }}
{{- end -}}

{{/*
The template of a pod. It takes:
  root       the root of the templates
  program    up, webhook or assigner, which is also the container and its values
  name       the pod's label: greenlight, greenlight-webhook or greenlight-assigner
  args       of the program
  env        its settings, without those that all programs have
  keys       those of the Secret that it reads, as files
  public     whether Telnyx posts to it
  plans      whether it reads plans
  startup    after how many probes, each two seconds apart, a start has failed
  ready      seconds between two probes of readiness
  grace      seconds that it may take to stop
*/}}
{{- define "greenlight.pod" -}}
{{- $values := index .root.Values .program -}}
{{- $env := merge (dict "ADMIN_LISTEN" ":8081" "ADMIN_TOKEN_FILE" "/secrets/admin-token") .env -}}
{{- $keys := append .keys "admin-token" -}}
{{- /* A setting is refused that has a file, too. */ -}}
{{- range $values.extraEnv -}}
{{- $env = omit $env (printf "%s_FILE" .name) -}}
{{- $keys = without $keys (.name | lower | replace "_" "-") -}}
{{- end -}}
metadata:
  labels:
    {{- include "greenlight.selector" (list .root .name) | nindent 4 }}
    app.kubernetes.io/part-of: greenlight
  {{- with .root.Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "greenlight.serviceAccount" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .grace }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    {{- if eq .program "up" }}
    # Do not change every file of a large volume at each start.
    fsGroupChangePolicy: OnRootMismatch
    {{- end }}
    seccompProfile: {type: RuntimeDefault}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if ne .program "up" }}
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "greenlight.selector" (list $.root $.name) | nindent 10 }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ .program }}
      image: {{ with $values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.root.Chart.AppVersion }}{{ end }}{{ end }}
      {{- with .args }}
      args: {{ toJson . }}
      {{- end }}
      env:
        {{- include "greenlight.env" (dict "env" $env "extra" $values.extraEnv) | trim | nindent 8 }}
      ports:
        {{- if .public }}
        - {name: http, containerPort: 8080}
        {{- end }}
        - {name: admin, containerPort: 8081}
      # At start it may wait for NATS, and read the ledger, before it answers.
      startupProbe:
        httpGet: {path: /healthz, port: admin}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: {{ .startup }}
      livenessProbe:
        httpGet: {path: /healthz, port: admin}
        periodSeconds: 10
        timeoutSeconds: 2
        failureThreshold: 3
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        periodSeconds: {{ .ready }}
        timeoutSeconds: 2
        failureThreshold: 2
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        {{- if $keys }}
        - {name: secrets, mountPath: /secrets, readOnly: true}
        {{- end }}
        {{- if .plans }}
        # Without subPath, so that changes are seen.
        - {name: plans, mountPath: /config/plans, readOnly: true}
        {{- end }}
        {{- if eq .program "up" }}
        - {name: data, mountPath: /data}
        {{- end }}
  volumes:
    {{- if $keys }}
    - name: secrets
      secret:
        secretName: {{ .root.Values.existingSecret }}
        defaultMode: 0440
        items:
          {{- range $keys }}
          - {key: {{ . }}, path: {{ . }}}
          {{- end }}
    {{- end }}
    {{- if .plans }}
    - name: plans
      {{- include "greenlight.plans" .root | nindent 6 }}
    {{- end }}
{{- end -}}
