# SPDX-License-Identifier: Apache-2.0
<#
.SYNOPSIS
    Installs or upgrades the Poolfleet Agent from the MSI beside this script, and enrolls the host.
.PARAMETER ServerUrl
    The server, without a path: https://poolfleet.example.com
.PARAMETER SecretFile
    A file with an enroll secret. Removed after use. Not needed when the host is enrolled already.
.PARAMETER Proxy
    none, or http://host:port. Left out: what Windows is set up to use for services.
.PARAMETER CaFile
    PEM file: only these certificate authorities are trusted.
.PARAMETER Tags
    Attributes: role=file-server,site=berlin
.OUTPUTS
    The exit code of msiexec: 0, 3010 and 1641 are success.
#>
param(
    [Parameter(Mandatory = $true)][string]$ServerUrl,
    [string]$SecretFile,
    [string]$Proxy,
    [string]$CaFile,
    [string]$Tags
)
$ErrorActionPreference = 'Stop'

$here = Split-Path -Parent $MyInvocation.MyCommand.Path
$is64 = [bool](Get-WmiObject Win32_OperatingSystem | Where-Object { $_.OSArchitecture -like '64*' })
$arch = if ($is64) { 'x64' } else { 'x86' }
$msi = Get-ChildItem (Join-Path $here "poolfleet-agent-*-$arch.msi") | Sort-Object Name | Select-Object -Last 1
if (-not $msi) { Write-Error "could not install: no poolfleet-agent-*-$arch.msi beside this script" }

$log = Join-Path $env:windir 'Temp\poolfleet-agent-install.log'
$arguments = @('/i', "`"$($msi.FullName)`"", '/qn', '/norestart', '/l*v', "`"$log`"", "SERVERURL=`"$ServerUrl`"")
if ($SecretFile) { $arguments += "ENROLLFILE=`"$((Resolve-Path $SecretFile).Path)`"" }
if ($Proxy) { $arguments += "PROXY=`"$Proxy`"" }
if ($CaFile) { $arguments += "CAFILE=`"$CaFile`"" }
if ($Tags) { $arguments += "TAGS=`"$Tags`"" }

# 1618: another installation is running. It may take a while, not for ever.
foreach ($try in 1..10) {
    $process = Start-Process msiexec.exe -ArgumentList $arguments -Wait -PassThru
    if ($process.ExitCode -ne 1618) { break }
    Write-Host "another installation is running; try $try of 10"
    Start-Sleep -Seconds 30
}
if (@(0, 3010, 1641) -notcontains $process.ExitCode) {
    Write-Host "msiexec failed with $($process.ExitCode); see $log, lines that begin with Poolfleet:"
    Select-String -Path $log -Pattern 'Poolfleet:' | Select-Object -Last 10 | ForEach-Object { Write-Host $_.Line }
}
exit $process.ExitCode
